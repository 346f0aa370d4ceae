"""`secondlook explain`: why a model gives a label its probability, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.common import ItemArgument, JsonOption, ModelOption, WorkspaceArgument, answer, champion_of, note, table
from engine.cli.signals import cancelled_by_signals
from engine.counting import counted, fit
from engine.errors import InputError, NotFoundError, StorageError, WorkspaceError, did_you_mean
from engine.evidence import is_clear, weighed_together
from engine.intake.formats.base import check_picture
from engine.trust import FAIR, apart, fit_words, looks_at, made, reliability, reliability_words, weight_words
from engine.types import Explanation, Item, ItemContent, TokenWeight, Verdict
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook explain tweets.secondlook tweet-7 --png why.png",
    "secondlook explain shop.secondlook page-3 --task verdict --label prohibited --json",
    "secondlook explain tweets.secondlook tweet-7 --method ig",
)
_LIME = "lime"
_WORDS_SHOWN = 10
_WIDEST = 60
"""Characters of a word, or of words that were weighed together, in a table."""
_FAINT = 0.1
"""Words and screenshot share one scale: of the strongest word's colour, less than this is hardly seen."""
LEAST_SAMPLES, MOST_SAMPLES = {_LIME: 16, "ig": 3, "gradient": 1}, {_LIME: 5_000, "ig": 1_000, "gradient": 10_000}
"""The fewest and the most that a method takes; those left out take none.

A map of words from 5,000 samples, what the `lime` library takes of a text, needs half a second of a core and 0.4 GB;
memory grows with their square, and for integrated gradients time with their cube: the points of a quadrature of 1,000
take 0.07 s, those of 5,000 seven seconds, in which nobody can cancel. Gradients of 10,000 versions take minutes.
"""


def _samples_taken() -> str:
    told = ", ".join(f"{least} to {MOST_SAMPLES[name]:,} for {name}" for name, least in LEAST_SAMPLES.items())
    return f"{told}; other methods take none"


def explain(
    workspace: WorkspaceArgument,
    item: ItemArgument,
    model: ModelOption = None,
    *,
    task: Annotated[
        str | None, typer.Option("--task", metavar="T", help="The task.", show_default="the kind's first one")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="L", help="The label.", show_default="the verdict's")
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Write heatmap and marked text to this picture.")
    ] = None,
    method: Annotated[
        str,
        typer.Option("--method", metavar="M", help="lime, ig, gradcam, gradient, occlusion or attention."),
    ] = _LIME,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, max=2**32 - 1, help="Of the samples.", show_default="0")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            metavar="N",
            help=f"So many samples, lime of words and of screenshot each: {_samples_taken()}.",
            show_default="until stable",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which words and which parts of the screenshot speak for a label, and which against it.

    The workspace keeps one explanation an item, task, label and model: LIME's until stable, which the desk shows too.
    It is shown again, or made and kept. With another method, --seed or --samples an explanation is made anew and not
    kept. Weights are changes of the label's probability, with their standard errors where a method has them; what
    cannot be told from nothing is left out here and has no colour in the picture. In JSON, words of a long text that
    were weighed together have the same group, and all of them the group's one weight.

    Methods: lime hides words and superpixels at random; ig is integrated gradients; gradcam speaks of the screenshot
    only; gradient is gradient × input averaged over random masks; occlusion leaves one out at a time; attention is for
    comparison only and explains nothing.
    """
    if png is not None:
        check_picture(png)  # before the work, which may take a minute
    _check_samples(method, samples)
    asked = _Asked(model=model, task=task, label=label, method=method, seed=seed, samples=samples)
    with Workspace.open(workspace, read_only=True) as ws:
        found = ws.items.get(item)
        explanation, stored = _explanation(ws, found, asked)
        content, verdict = ws.items.content(found), ws.verdicts.of_model(item, explanation.model).get(explanation.task)
    if asked.kept and not stored:
        _keep(workspace, explanation)
    if png is not None:
        _draw(content, explanation, png)
    answer(_document(explanation), lambda: _text(explanation, png), as_json=as_json)
    if told := apart(explanation, verdict):
        note(told)


def _draw(content: ItemContent, explanation: Explanation, png: Path) -> None:
    from engine.explain.lettering import missing_letters
    from engine.explain.render import save_png

    save_png(content, explanation, png)
    missing = missing_letters(f"{content.title}{content.text}")
    if missing:
        letters = f"{counted(len(missing), 'letter')} of the text, such as '{missing[0]}'"
        note(f"No font of this machine that is known here has {letters}: boxes in the picture. Install Noto fonts.")


def _check_samples(method: str, samples: int | None) -> None:
    """Raise `InputError` for a number of samples that the method does not take, before anything is loaded."""
    least = LEAST_SAMPLES.get(method)
    if samples is not None and least is not None and not least <= samples <= MOST_SAMPLES[method]:
        most = MOST_SAMPLES[method]
        needs = f"The method '{method}' needs at least {counted(least, 'sample')} and takes {most:,} at most"
        raise InputError(f"{needs}, not {samples:,}.", "Give such a number, or leave --samples out.")


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a question; what was left out is None."""

    model: str | None
    task: str | None
    label: str | None
    method: str
    seed: int | None
    samples: int | None

    @property
    def kept(self) -> bool:
        """Whether it is the desk's own question, whose answer the workspace keeps."""
        return self.method == _LIME and self.seed is None and self.samples is None


def _explanation(ws: Workspace, item: Item, asked: _Asked) -> tuple[Explanation, bool]:
    """The stored explanation where that is asked for and there is one, else a new one; and whether it was stored."""
    model = asked.model or champion_of(ws)
    task = asked.task or _first_task(ws, item)
    verdict = ws.verdicts.of_model(item.id, model).get(task)
    label = asked.label or (verdict.label if verdict else None)
    if asked.kept and label is not None:
        stored = ws.explanations.get(item.id, task, label, model)
        intact = item.capture is None or ws.captures.is_intact(item.capture)  # else it is refused when it is made anew
        if stored is not None and stored.final and stored.method == _LIME and intact:
            return stored, True
    return _made(ws, item, model, task, label, asked), False


def _keep(workspace: Path, explanation: Explanation) -> None:
    """Keep an explanation for the desk, or say why not: it was shown all the same."""
    try:
        with Workspace.open(workspace, check=False) as ws:
            ws.explanations.put(explanation)
    except (WorkspaceError, StorageError) as error:
        note(f"This explanation was not kept in the workspace. {error}")


def _made(ws: Workspace, item: Item, model: str, task: str, label: str | None, asked: _Asked) -> Explanation:
    from engine.explain.methods import check, explain_by
    from engine.models.predictor import Predictor

    check(asked.method, asked.samples)
    predictor = Predictor.load(ws.models.folder(model))
    content = ws.items.content(item)
    with cancelled_by_signals() as cancelled:
        if label is None:
            label = _verdict(predictor.predict([content], cancelled=cancelled), task, item, model).label
        return explain_by(
            asked.method,
            predictor,
            content,
            task,
            label,
            seed=asked.seed or 0,
            samples=asked.samples,
            cancelled=cancelled,
        )


def _first_task(ws: Workspace, item: Item) -> str:
    task = ws.taxonomy.primary(item.kind)
    if task is None:
        raise NotFoundError(f"No task is asked of a {item.kind} such as '{item.id}'.", "Name one with --task.")
    return task.name


def _verdict(verdicts: Iterable[Verdict], task: str, item: Item, model: str) -> Verdict:
    by_task = {verdict.task: verdict for verdict in verdicts}
    if task not in by_task:
        raise NotFoundError(
            f"Model '{model}' does not answer the task '{task}' for a {item.kind} such as '{item.id}'.",
            did_you_mean(task, by_task) or "Name another model with --model, or train one with: secondlook retrain.",
        )
    return by_task[task]


def _document(explanation: Explanation) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(explanation)
    del document["segment_map"]
    return document


def _text(explanation: Explanation, png: Path | None) -> str:
    lines = [
        f"{explanation.item}: {explanation.task} {explanation.label} {explanation.probability:.1%}"
        f" (model {explanation.model}; {made(explanation)}).",
        *filter(None, (explanation.note, reliability_words(explanation)[1], fit_words(explanation))),
        *filter(None, (_surer(explanation), _rests_on(explanation))),
        *_words(explanation.tokens),
        *_screenshot(explanation, png),
    ]
    return "\n".join(lines)


def _surer(explanation: Explanation) -> str:
    """What to do about weights that came out shaky, where something can be done."""
    agree, most = reliability(explanation), MOST_SAMPLES[_LIME]
    shaky = explanation.method == _LIME and agree is not None and agree < FAIR
    return f"More samples make it surer: --samples {most}." if shaky and explanation.samples < most else ""


def _rests_on(explanation: Explanation) -> str:
    shares = looks_at(explanation)
    return f"{shares}." if shares else ""


def _words(tokens: Iterable[TokenWeight]) -> Iterator[str]:
    """The strongest words (or stretches of a long text) that can be told from nothing, and how many cannot."""
    words = [together for together in weighed_together(tokens) if together[0].weight]
    clear = [together for together in words if is_clear(together[0].weight, together[0].error)]
    strongest = sorted(clear, key=lambda together: -abs(together[0].weight))[:_WORDS_SHOWN]
    one, several = ("group of words", "groups of words") if _in_groups(words) else ("word", "words")
    if strongest:
        yield table([one, "weight"], [[_named(own), weight_words(own[0].weight, own[0].error)] for own in strongest])
    if len(words) > len(clear):
        more = "more " if clear else ""
        rest = counted(len(words) - len(clear), f"{more}{one}", f"{more}{several}")
        yield f"{rest} cannot be told from nothing."


def _in_groups(words: Iterable[Sequence[TokenWeight]]) -> bool:
    return any(together[0].group is not None for together in words)


def _named(together: Sequence[TokenWeight]) -> str:
    """The word, or the stretch of a long text, cut where it would be too wide for a table."""
    text = together[0].text if together[0].group is None else " ".join(token.text for token in together)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _screenshot(explanation: Explanation, png: Path | None) -> Iterator[str]:
    seen = [one for one in explanation.segments if is_clear(one.weight, one.error)]
    if seen:
        strongest = max(seen, key=lambda one: abs(one.weight))
        weigh = f"{counted(len(seen), 'part')} of the screenshot {fit(len(seen), 'weighs', 'weigh')} something"
        most = weight_words(strongest.weight, strongest.error)
        faint = _FAINT * max((abs(token.weight) for token in explanation.tokens), default=0.0) > abs(strongest.weight)
        yield f"{weigh}, {most} at most{', faint beside the words' if faint else ''}; {_where(png)}."
    if png is not None:
        yield f"Picture: {png}"


def _where(png: Path | None) -> str:
    return "see the picture" if png else "see them with --png"
