"""What is run in a page. In a world of its own: the page sees nothing of it and cannot change what it calls.

Looking takes a large page's selectors some time, so no more than a fifth of it goes into looking whether it is ready.
Nothing here waits by a timer, because timers do not run where a page's scripts are switched off; frames do.
"""

from __future__ import annotations

NO_WORKERS = "Object.defineProperty(Navigator.prototype, 'serviceWorker', {get: () => undefined, configurable: false});"
"""Run in every document before its own scripts: service workers would outlive the page and answer for its network."""

READY = """
async ({present, absent, failed, slice}) => {
  const until = performance.now() + slice;
  const frame = () => new Promise(requestAnimationFrame);
  const seen = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0
      && box.top < innerHeight && box.left < innerWidth && element.checkVisibility({visibilityProperty: true});
  };
  const any = (selector) => [...document.querySelectorAll(selector)].some(seen);
  const waits = () => {
    if (failed.some(any)) return "";
    if (document.readyState === "loading" || !document.body) return "the document";
    const missing = present.find((selector) => !document.querySelector(selector));
    if (missing) return missing;
    const placeholder = absent.find(any);
    if (placeholder) return placeholder;
    if (document.fonts.status !== "loaded") return "fonts";
    return [...document.images].some((image) => !image.complete && seen(image)) ? "images" : "";
  };
  let why, next = 0;
  do {
    const began = performance.now();
    if (began >= next) {
      why = waits();
      next = performance.now() + 4 * (performance.now() - began);
    }
    if (why) await frame();
  } while (why && performance.now() < until);
  if (why) return why;
  await Promise.all([...document.images].filter((image) => image.naturalWidth && seen(image))
    .map((image) => image.decode().catch(() => undefined)));
  await frame();
  await frame();
  return waits();
}
"""
"""Returns what the page still waits for, "" for nothing, after `slice` milliseconds at the latest."""

READ = """
({regions, texts, most}) => {
  const box = (element) => {
    const found = element.getBoundingClientRect();
    const left = Math.max(0, found.left), top = Math.max(0, found.top);
    const width = Math.min(innerWidth, found.right) - left;
    const height = Math.min(innerHeight, found.bottom) - top;
    return width > 0 && height > 0 && element.checkVisibility({visibilityProperty: true})
      ? [left, top, width, height] : null;
  };
  const each = (object, value) =>
    Object.fromEntries(Object.entries(object).map(([name, given]) => [name, value(given)]));
  const boxes = (selectors) => [...document.querySelectorAll(selectors.join(","))].slice(0, most.boxes)
    .map(box).filter((found) => found);
  const text = (selectors) => {
    for (const selector of selectors) {
      const element = document.querySelector(selector);
      if (element) return (element.innerText ?? element.textContent ?? "").trim().slice(0, most.text);
    }
    return "";
  };
  const elements = document.getElementsByTagName("*").length;
  const title = document.title.slice(0, most.title);
  const found = {elements, title, url: location.href, html: "", regions: {}, texts: {}};
  if (elements > most.elements) return found;
  const html = document.documentElement ? document.documentElement.outerHTML : "";
  return {...found, long: html.length > most.html, html: html.slice(0, most.html),
    regions: each(regions, boxes), texts: each(texts, text)};
}
"""
"""Returns title, address, markup, rectangles in view and texts; only the number of elements where it is too large."""
