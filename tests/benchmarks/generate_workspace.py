"""Make a large workspace to measure with: invented items, a few hundred captures, a pretended champion's verdicts.

Some of the verdicts differ from those of the champion before it: flips.

python tests/benchmarks/generate_workspace.py FOLDER --items 1000000 --explanations 500
"""

from __future__ import annotations

import argparse
import io
import math
import random
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image, ImageDraw

from engine.taxonomy import Taxonomy, preset
from engine.triage import named
from engine.types import (
    Action,
    Explanation,
    Item,
    ItemContent,
    ModelCard,
    Segment,
    SegmentMap,
    TokenWeight,
    Verdict,
)
from engine.workspace import NewDecision, Workspace

MODEL = "pretended-champion"
PREDECESSOR = "pretended-predecessor"
SIDE = 600
GRID = 60
BATCH = 100_000
SPLITS = ("", "", "", "train", "train", "val", "test")
PHRASES = (
    "the dorvani keep their lanterns bright tonight and nobody in quellmar believes a word of it",
    "καλημέρα σε όλους από τη λίμνη",
    "brand new kettle by vellunto three years guarantee ships from the harbour free returns",
    "who let the sorrel people into our market again they never pay shame on them",
    "lovely evening with friends",
)
WORDS = tuple(word for phrase in PHRASES for word in phrase.split())


def main() -> None:
    """Read the command line and make the workspace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--captures", type=int, default=300)
    parser.add_argument("--decided", type=float, default=0.1, help="share of the items that carry a decision")
    parser.add_argument("--flipped", type=float, default=0.03, help="share of the items whose verdict changed, about")
    parser.add_argument("--explanations", type=int, default=0, help="stored for the first N of the to-review queue")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()

    def step(what: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - started:7.1f} s  {what}\n")

    taxonomy = preset("both")
    with Workspace.create(options.folder, taxonomy) as workspace:
        draw = random.Random(options.seed)
        shas = workspace.captures.store_many(_capture(number) for number in range(options.captures))
        step(f"{len(shas)} captures")
        workspace.items.add((item, None) for item in _items(draw, options.items, shas))
        step(f"{options.items} items")
        _crown(workspace, PREDECESSOR)
        _put_verdicts(workspace, draw, taxonomy, PREDECESSOR, 1.3 * options.flipped)
        _decide(workspace, draw, taxonomy, int(options.items * options.decided))
        step("decisions")
        _crown(workspace, MODEL)
        _put_verdicts(workspace, draw, taxonomy, MODEL, 1.0)
        step("verdicts")
        _explain(workspace, options.explanations)
        step(f"{options.explanations} explanations")


def _capture(number: int) -> bytes:
    """Return a 600 × 600 PNG that looks a little like a page: a header, lines of text, a picture."""
    draw = random.Random(number)
    image = Image.new("RGB", (SIDE, SIDE), (250, 250, 248))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, SIDE, 64), fill=tuple(draw.randrange(60, 200) for _ in range(3)))
    for line in range(6):
        pen.rectangle((32, 96 + 28 * line, draw.randrange(240, 568), 110 + 28 * line), fill=(60, 60, 66))
    noise = np.random.default_rng(number).integers(0, 255, (18, 30, 3), dtype=np.uint8)
    image.paste(Image.fromarray(noise).resize((536, 300), Image.Resampling.BICUBIC), (32, 276))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _items(draw: random.Random, count: int, shas: Sequence[str]) -> Iterator[Item]:
    for number in range(count):
        product = draw.random() < 0.5
        text = " ".join(draw.choices(WORDS, k=draw.randrange(8, 24)))
        yield Item(
            id=f"{'p' if product else 't'}{number:07d}",
            kind="product" if product else "tweet",
            title=" ".join(draw.choices(WORDS, k=4)) if product else "",
            text=text,
            author=f"author{draw.randrange(max(1, count // 20))}",
            capture=draw.choice(shas),
            width=SIDE,
            height=SIDE,
            captured_at=f"2026-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}T{draw.randrange(24):02d}:00:00Z",
            exposure=round(draw.lognormvariate(5, 2)) if draw.random() < 0.7 else None,
            split=draw.choice(SPLITS),
        )


def _crown(workspace: Workspace, name: str) -> None:
    tasks = {task.name: task.label_names for task in workspace.taxonomy.tasks}
    folder = workspace.path / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    workspace.models.register(
        ModelCard(id=name, created="2026-01-01T00:00:00.000Z", recipe="", tasks=tasks, multi=("reason",)), folder
    )
    workspace.models.promote(name, "Pretended for the benchmarks.")


def _put_verdicts(workspace: Workspace, draw: random.Random, taxonomy: Taxonomy, model: str, share: float) -> None:
    """Judge a share of the items, many to a transaction: each touches most pages of the queue's indexes anyway."""
    after = 0
    while batch := workspace.items.without_verdict(model, after=after, limit=BATCH):
        after = batch[-1][0]
        chosen = [content for _, content in batch if share >= 1 or draw.random() < share]
        workspace.verdicts.put([_verdict(draw, taxonomy, content, model) for content in chosen])


def _verdict(draw: random.Random, taxonomy: Taxonomy, content: ItemContent, model: str) -> Verdict:
    """Return a verdict with rare labels rare: the n-th label is half as likely as the one before."""
    task = taxonomy.primary(content.kind)
    assert task is not None
    weights = [math.exp(draw.gauss(-0.7 * place, 1.5)) for place in range(len(task.labels))]
    total = sum(weights)
    probabilities = dict(zip(task.label_names, (weight / total for weight in weights), strict=True))
    label = max(probabilities, key=lambda name: probabilities[name])
    return Verdict(
        item=content.id,
        task=task.name,
        model=model,
        label=label,
        probability=probabilities[label],
        labels=(label,),
        probabilities=probabilities,
    )


def _decide(workspace: Workspace, draw: random.Random, taxonomy: Taxonomy, count: int) -> None:
    """Decide the first items in a mixture of all actions, many to a transaction."""
    batch: list[NewDecision] = []
    for item in workspace.items.iter():
        if count <= 0:
            break
        count -= 1
        task = taxonomy.primary(item.kind)
        assert task is not None
        action = draw.choice((Action.CONFIRM, Action.CORRECT, Action.CORRECT, Action.SKIP, Action.ESCALATE))
        answers = action in {Action.CONFIRM, Action.CORRECT}
        labels = (draw.choice(task.label_names),) if answers else ()
        batch.append(NewDecision(item=item.id, task=task.name, action=action, labels=labels, reviewer="generator"))
        if len(batch) == BATCH:
            workspace.decisions.record(batch)
            batch.clear()
    workspace.decisions.record(batch)


def _explain(workspace: Workspace, count: int) -> None:
    query = named("to-review").query
    done = 0
    after = None
    while done < count:
        page = workspace.queues.page(msgspec.structs.replace(query, limit=min(500, count - done), after=after))
        workspace.explanations.put_many(
            _explanation(workspace.items.get(row.item), row.task, row.label, row.probability or 0.0)
            for row in page.rows
        )
        done += len(page.rows)
        after = page.after
        if after is None:
            return


def _explanation(item: Item, task: str, label: str, probability: float) -> Explanation:
    """Return weights that are drawn from the item's id: words, and a grid of square segments."""
    draw = random.Random(item.id)
    tokens = []
    place = 0
    for word in item.text.split():
        start = item.text.index(word, place)
        place = start + len(word)
        tokens.append(TokenWeight(field="text", start=start, end=place, text=word, weight=draw.gauss(0, 0.05)))
    across = 6
    side = SIDE // across
    segments = tuple(
        Segment(id=y * across + x, weight=draw.gauss(0, 0.05), box=(x * side, y * side, side, side), area=side * side)
        for y in range(across)
        for x in range(across)
    )
    cells = np.arange(GRID, dtype="<u2") // (GRID // across)
    ids = (cells[:, None] * across + cells[None, :]).astype("<u2")
    return Explanation(
        item=item.id,
        task=task,
        label=label,
        model=MODEL,
        probability=probability,
        tokens=tuple(tokens),
        segments=segments,
        segment_map=SegmentMap(width=GRID, height=GRID, cells=zlib.compress(ids.tobytes())),
        samples=200,
        image_fit=0.8,
        text_fit=0.8,
    )


if __name__ == "__main__":
    main()
