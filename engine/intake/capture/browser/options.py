"""How Chromium is set up for hostile pages. Its sandbox stays on: there is no option for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_ALWAYS = (
    "--headless=new",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--mute-audio",
    "--no-first-run",
    "--no-default-browser-check",
    "--lang=en-US",
    # Nothing of its own accord, and nothing installed.
    "--disable-extensions",
    "--disable-component-extensions-with-background-pages",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--no-pings",
    # Permissions, notifications.
    "--deny-permission-prompts",
    "--disable-notifications",
    "--disable-features=Translate,MediaRouter,OptimizationHints,DialMediaRouteProvider,WebBluetooth,WebUSB",
    # A page that was left is gone: it is not kept in a renderer of its own to come back to.
    "--disable-back-forward-cache",
    # Every tab paints as if it were in front, and no picture is left out of a screenshot because it decodes late.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-checker-imaging",
    "--disable-gpu",
    # One page may not take the machine's memory.
    "--js-flags=--max-old-space-size=512",
)

_GUARDED = (
    # Loopback goes through the proxy too, which refuses it.
    "--proxy-bypass-list=<-loopback>",
    # No name is resolved by the browser itself, whatever feature would like to.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    # Nothing goes past the proxy over UDP.
    "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)

_DENIED = (
    "notifications",
    "geolocation",
    "media_stream",
    "media_stream_mic",
    "media_stream_camera",
    "popups",
    "automatic_downloads",
    "clipboard",
    "midi_sysex",
    "sensors",
    "serial_guard",
    "usb_guard",
    "hid_guard",
    "bluetooth_guard",
    "file_system_write_guard",
    "local_fonts",
    "window_placement",
    "payment_handler",
    "background_sync",
    "idle_detection",
)
_BLOCK = 2
_NO_DOWNLOADS = 3
_NO_PREDICTION = 2


def arguments(profile: Path, proxy: int | None) -> tuple[str, ...]:
    """Return the command line for a fresh profile; `proxy` is a port on 127.0.0.1 that everything has to go through."""
    guarded = () if proxy is None else (f"--proxy-server=http://127.0.0.1:{proxy}", *_GUARDED)
    return (*_ALWAYS, f"--user-data-dir={profile}", *guarded)


def preferences() -> dict[str, Any]:
    """Return the profile's preferences: permissions denied, no downloads, nothing loaded ahead, nothing remembered."""
    return {
        "profile.default_content_setting_values": dict.fromkeys(_DENIED, _BLOCK),
        "download_restrictions": _NO_DOWNLOADS,
        "net.network_prediction_options": _NO_PREDICTION,
        "credentials_enable_service": False,
        "profile.password_manager_enabled": False,
        "safebrowsing.enabled": False,
        "search.suggest_enabled": False,
    }
