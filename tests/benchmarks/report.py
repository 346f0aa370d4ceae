"""Writes what the benchmarks measured into docs/RESULTS.md: `python tests/benchmarks/report.py build/bench`.

Only the part between the two markers is replaced, from the JSON files alone, so that no figure is typed by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from tests.benchmarks import planted, rationales, report_exchange, shortcut

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
RESULTS = Path(__file__).resolve().parents[2] / "docs" / "RESULTS.md"


def p99(values: list[float]) -> float:
    """Return the 99th percentile as `desk.py` prints it: a value that was measured, not one between two."""
    return sorted(values)[min(len(values) - 1, int(0.99 * len(values)))]


def desk(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `desk.py`: each limit beside what was measured."""
    trainer = "with the trainer running" if found["trainer_running"] else "without a trainer"
    yield f"### The desk, {found['items']:,} items, {trainer} (`desk.py`, {found['machine']})\n"
    yield "| | limit | measured |\n|---|---|---|"
    rows = [
        ("key press to next item painted, median", 16.7, median(found["key_ms"])),
        ("key press to next item painted, 99th percentile", 50.0, p99(found["key_ms"])),
        ("of it the window thread's own processor time, median", None, median(found["key_cpu_ms"])),
        ("durable decision, 99th percentile", 15.0, p99(found["commit_ms"])),
        ("frame, 99th percentile", 20.0, p99(found["frame_ms"])),
        ("window up with the first item, median", 1000.0, median(found["starts_ms"])),
    ]
    for name, limit, value in rows:
        yield f"| {name} | {'' if limit is None else f'{limit:g} ms'} | {value:.1f} ms |"
    yield f"| memory of the desktop process | 400 MB | {found['rss_mb']:.0f} MB |"
    complete = f"{found['complete']} of {len(found['key_ms'])}"
    yield f"| complete (capture, heatmap, tokens) at the first paint | all | {complete} |"


def table(found: dict[str, Any], title: str) -> Iterator[str]:
    """Rows of `queues.py` and `decisions.py`: median and 99th percentile of each way, peers last."""
    yield f"\n### {title}, {found['items']:,} items, SQLite {found['sqlite']}\n"
    yield "| | n | median | 99th percentile |\n|---|---|---|---|"
    for name, one in found["milliseconds"].items():
        yield f"| {name} | {one['n']:,} | {one['median']:.2f} ms | {one['p99']:.2f} ms |"


def scoring(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `scoring.py`: the naive way and ours in the same run, from PNG files and from prepared screenshots."""
    yield f"\n### Scoring captures with text, {found['cpus']} cores, torch {found['torch']} (`scoring.py`)\n"
    yield f"A process that has only imported this torch takes {found['torch_alone_mb']:.0f} MB.\n"
    yield (
        "| network | naive, from PNG | ours, from PNG | ratio, median (range) | ours, from cached pixels "
        "| ratio to naive from PNG | ratio to naive from cached pixels | peak memory naive / ours (of files) "
        "| same verdict, mean difference |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, one in found.items():
        if isinstance(one, dict) and "ratio" in one:
            naive, ours, cached = one["naive"], one["ours"], one["ours-cached"]
            yield (
                f"| {name} | {naive['median']:.1f} items/s | {ours['median']:.1f} items/s ({ours['how']}) "
                f"| {spread(one['ratio'])} | {cached['median']:.1f} items/s | {spread(one['ratio_cached'])} "
                f"| {spread(one['ratio_both_cached'])} "
                f"| {naive['peak_rss_mb']:.0f} / {ours['peak_rss_mb']:.0f} MB ({ours['of_files_mb']:.0f}) "
                f"| {one['agreement']:.1%}, {one['mean_difference']:.4f} |"
            )


def spread(ratio: dict[str, float]) -> str:
    """Return a median with its range."""
    return f"{ratio['median']:.1f} ({ratio['least']:.1f}–{ratio['most']:.1f})"


def training_speed(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `training_speed.py`: an epoch, and the share of what the machine multiplies at most."""
    rates = ", ".join(f"{name} {rate / 1e9:.0f} G operations/s" for name, rate in found["matrix_rates"].items())
    yield f"\n### Training on {found['items']:,} captures (`training_speed.py`; one large matrix product: {rates})\n"
    yield "| network | an epoch | items/s | peak memory | share of that rate |\n|---|---|---|---|---|"
    for name, one in found.items():
        if isinstance(one, dict) and "epoch_seconds" in one:
            shares = ", ".join(f"{share:.0%} of {kind}" for kind, share in one["share_of_matrix_rate"].items())
            yield (
                f"| {name} ({one['device']}) | {one['epoch_seconds']:.0f} s, from {one['steps']} steps "
                f"| {one['items_per_second']:.1f} | {one['peak_rss_mb']:.0f} MB | {shares} |"
            )


def gpu(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `gpu.py`, or that there was no GPU."""
    yield "\n### On a GPU, BERT-base and ResNet-18 (`gpu.py`)\n"
    if not found["measured"]:
        yield f"Not measured: {found['why']}."
        return
    rate = f"bf16 matrices {found['bf16_matrix_rate'] / 1e12:.0f} T operations/s"
    yield f"{found['how']}, torch {found['torch']}, {rate}.\n"
    yield "| | seconds | share of that rate |\n|---|---|---|"
    for what, key in ((f"{found['items']:,} items from cached pixels", "cached"), ("from PNG files", "files")):
        yield f"| {what} | {found[f'{key}_seconds']:.1f} | {found[f'{key}_share_of_peak']:.1%} |"
    trained = f"{found['epochs']} epochs over {found['training_items']:,} captures"
    yield f"| {trained} | {found['training_seconds']:.1f} | {found['training_share_of_peak']:.1%} |"


def explanations(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `explanations.py`: ours and the library in the same run, images and texts."""
    for name, one in found.items():
        if not isinstance(one, dict):
            continue
        about = f"{one['items']} items, {one['arithmetic']}, {one['products']}"
        yield f"\n### Explanations beside lime: {name}, {about} (`explanations.py`)\n"
        yield "| | mean | median | range |\n|---|---|---|---|"
        for key, value in one["of"].items():
            range_ = f"{value['least']:.3g}–{value['most']:.3g}"
            yield f"| {key} | {value['mean']:.3g} | {value['median']:.3g} | {range_} |"


def prefetch(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `prefetch.py`: how often the explanation was there when the item was painted."""
    yield f"\n### Explanations there before the item, one decision every {found['every_s']:g} s (`prefetch.py`)\n"
    yield "| | moves | final | at least a preview | trainer running |\n|---|---|---|---|---|"
    for name, key in (("with prefetch", "ours"), ("without", "peer")):
        one = found[key]
        shares = [f"{fmean(one[part]):.1%}" for part in ("final", "some", "trainer")]
        yield f"| {name} | {len(one['final'])} | " + " | ".join(shares) + " |"


def capture(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `capture.py`: the naive way, one reused driver, and several tabs."""
    tabs = f"{found['workers']} tabs, {found['processors']} cores"
    yield f"\n### Capturing {found['pages']} pages, {tabs} (`capture.py`)\n"
    yield "| way | pages a second, median (range) | processor seconds a page | peak memory | against the naive way |"
    yield "|---|---|---|---|---|"
    slow = found["ways"]["naive"]["pages_per_second"]["median"]
    for name, one in found["ways"].items():
        pace = one["pages_per_second"]
        yield (
            f"| {name} | {spread(pace)} | {one['processor_seconds_per_page']['median']:.2f} "
            f"| {one['peak_mb']['median']:.0f} MB | {pace['median'] / slow:.1f} |"
        )


def as_printed(title: str, words: Callable[[Any], str]) -> Callable[[dict[str, Any]], Iterator[str]]:
    """The tables of a script as it prints them."""

    def rows(found: dict[str, Any]) -> Iterator[str]:
        yield f"\n### {title}\n\n```"
        yield from (words(one) for one in found.get("tables", [found]))
        yield "```"

    return rows


def learning_curve(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `learning_curve.py`: labels needed by each order, and against drawing at random, by set."""
    for name, one in found["sets"].items():
        yield f"\n### Labels to reach {found['target']:.0%} of full-data macro-F1, {name} (`learning_curve.py`)\n"
        yield (
            f"{one['train']:,} training texts, {one['features']}; macro-F1 with all labels {one['full_macro_f1']:.3f},"
            f" majority class {one['majority_macro_f1']:.3f}, target {one['target_macro_f1']:.3f}.\n"
        )
        yield f"| order | labels, median of {found['seeds']} seeds (range) | against random |\n|---|---|---|"
        for order, row in one["orders"].items():
            labels = [value for value in row["labels"] if value is not None]
            ratios = [value for value in row["ratio_to_random"] if value is not None]
            missed = len(row["labels"]) - len(labels)
            span = f"{median(labels):,.0f} ({min(labels):,.0f}–{max(labels):,.0f})" if labels else "–"
            left = f", {missed} never" if missed else ""
            yield f"| {order} | {span}{left} | {f'{median(ratios):.2f}' if ratios else '–'} |"


def refit(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `refit.py`: whole refits by phase, the peer, and rescoring with and without kept vectors."""
    yield f"\n### Refit of {found['items']:,} labelled items, {found['threads']} threads (`refit.py`)\n"
    yield "| | median (range) | of it read / features / fit / compare / save |\n|---|---|---|"

    def span(one: dict[str, float]) -> str:
        return f"{one['median']:.2f} s ({one['least']:.2f}–{one['most']:.2f})"

    for head, one in found["refit"].items():
        parts = " / ".join(f"{seconds['median']:.2f}" for seconds in one["phases"].values())
        yield f"| {head} head, whole path of penalties, 16 labels | {span(one['seconds'])} | {parts} s |"
    for name, one in found["scikit-learn"].items():
        yield f"| scikit-learn, {name}, 3 labels | {span(one)} | |"
    again = found["rescoring"]
    yield (
        f"\nRescoring: {again['without']['median']:.0f} items/s from PNG files, {again['kept']['median']:,.0f} items/s "
        f"from kept vectors ({again['ratio']:.0f} times)."
    )


def _deviation(values: list[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def multitask(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `multitask.py`: macro-F1 by way and task over seeds, the paired comparisons, and what they say."""
    scores: dict[str, dict[str, list[float]]] = {}
    for name, cell in found["cells"].items():
        for task, figures in cell["figures"].items():
            scores.setdefault(name.split("/")[0], {}).setdefault(task, []).append(figures["macro_f1"])
    tasks = list(found["majority"])
    seeds = max(len(values) for way in scores.values() for values in way.values())
    yield f"\n### Multitask learning against single tasks, macro-F1 on val, {seeds} seeds (`multitask.py`)\n"
    yield "| | " + " | ".join(tasks) + " |\n|---|" + "---|" * len(tasks)
    yield "| majority | " + " | ".join(f"{found['majority'][task]:.3f}" for task in tasks) + " |"
    for way, by_task in scores.items():
        spread = (f"{fmean(by_task[task]):.3f} ± {_deviation(by_task[task]):.3f}" for task in tasks)
        yield f"| {way} | " + " | ".join(spread) + " |"
    yield "\n| way | against | tasks | points | p (t) | p (permutation) | p (t, Holm) |"
    yield "|---|---|---|---|---|---|---|"
    for one in found["comparisons"]:
        adjusted = "" if one["holm"] is None else f"{one['holm']:.3f}"
        points = f"{100 * one['difference']:+.1f} ± {100 * one['deviation']:.1f}"
        cells = (
            one["way"],
            one["peer"],
            " + ".join(one["tasks"]),
            points,
            f"{one['t']:.3f}",
            f"{one['permutation']:.3f}",
        )
        yield f"| {' | '.join(cells)} | {adjusted} |"
    yield "\n" + "\n".join(f"- {line}" for line in found["verdict"])


def recipes(found: dict[str, Any], title: str) -> Iterator[str]:
    """Rows of the scripts that fill tables of recipes: macro-F1 of each row on each set, and the rows' mean."""
    blocks = {name: block for name, one in found["tables"].items() for block in one["blocks"]}
    limit = f", at most {found['limit']} items of each split" if found.get("limit") else ""
    yield f"\n### {title}{limit}\n"
    yield "| macro-F1 | " + " | ".join(f"{name} ({block['n']:.0f})" for name, block in blocks.items()) + " | mean |"
    yield "|---|" + "---|" * (len(blocks) + 1)
    names = dict.fromkeys(row["name"] for block in blocks.values() for row in block["rows"])
    for name in names:
        found_in = [{row["name"]: row["macro_f1"] for row in block["rows"]}.get(name) for block in blocks.values()]
        cells = ["–" if score is None else _spread(score) for score in found_in]
        known = [score["mean"] for score in found_in if score is not None]
        mean = f"{fmean(known):.3f}" if len(known) == len(blocks) else "–"
        yield f"| {name} | " + " | ".join(cells) + f" | {mean} |"


def greek(found: dict[str, Any]) -> Iterator[str]:
    """Rows of `greek.py`: what pretraining on the texts brings, fold by fold on the same folds."""
    yield from recipes({"tables": {"OGTD": found["table"]}}, "Offensive Greek tweets, 5 folds (`greek.py`)")
    yield "\n| row | less | points, paired by fold | p (corrected resampled t-test) |\n|---|---|---|---|"
    for one in found["paired"]:
        points = f"{100 * one['mean']:+.1f} ± {100 * one['deviation']:.1f}"
        yield f"| {one['row']} | {one['peer']} | {points} | {one['p']:.3f} |"


def _spread(score: dict[str, Any]) -> str:
    return f"{score['mean']:.3f}" + (f" ± {score['deviation']:.3f}" if score.get("deviation") else "")


def main(folder: Path) -> None:
    """Replace the measured part of docs/RESULTS.md; benchmarks without a JSON file are named as not run."""
    lines: list[str] = []
    parts = {
        "desk": desk,
        "queues": lambda found: table(found, "Queue pages (`queues.py`; plain SQL is the peer)"),
        "decisions": lambda found: table(found, "Decisions (`decisions.py`; a plain insert is the peer)"),
        "scoring": scoring,
        "training_speed": training_speed,
        "gpu": gpu,
        "explanations": explanations,
        "prefetch": prefetch,
        "capture": capture,
        "product_pages": report_exchange.product_pages,
        "export_million": report_exchange.million,
        "fuzz_readers": report_exchange.broken,
        "interop_packs": report_exchange.packs,
        "rationales": as_printed("Agreement with people's rationales (`rationales.py`)", rationales.words_of),
        "planted": as_printed("Planted evidence (`planted.py`)", planted.words_of),
        "shortcut": as_printed("A planted shortcut, crossed out (`shortcut.py`)", shortcut.report),
        "refit": refit,
        "learning_curve": learning_curve,
        "text_table": lambda found: recipes(found, "Recipes for text on val, one for all sets (`text_table.py`)"),
        "text_cnn": lambda found: recipes(found, "Text from nothing on val (`text_table.py --recipe text-cnn`)"),
        "greek": greek,
        "grocery": lambda found: recipes(found, "Photographs of groceries with words, on val (`grocery.py`)"),
        "multitask": multitask,
    }
    for name, rows in parts.items():
        file = folder / f"{name}.json"
        if file.exists():
            lines += rows(json.loads(file.read_text("utf-8")))
        else:
            lines.append(f"\nNot measured here: `{name}.json`.")
    text = RESULTS.read_text("utf-8")
    before, rest = text.split(BEGIN)
    RESULTS.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{rest.split(END)[1]}", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
