"""`secondlook pretrain`: train a text encoder on a workspace's or a file's own texts, labelled or not."""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.common import JsonOption, Progress, answer, note, progress, table
from engine.cli.output import answer_stream
from engine.cli.signals import cancelled_by_signals
from engine.counting import counted
from engine.errors import InputError
from engine.service.protocol import EpochEnded, RunProgress, RunStarted, encode

if TYPE_CHECKING:
    from engine.training.pretraining.card import PretrainingCard
    from engine.training.pretraining.events import PretrainingEvent
    from engine.training.pretraining.scores import MaskedScores

EXAMPLES = (
    "secondlook pretrain tweets.secondlook",
    "secondlook pretrain tweets.secondlook --from nlpaueb/bert-base-greek-uncased-v1 --name greek --epochs 3",
    "secondlook pretrain tweets.txt --out my-encoder --layers 2 --width 128 --set emoji=keep",
)
ENCODERS, DEFAULT_NAME = "encoders", "pretrained"
_SHOWN = 5
Emit = Callable[["PretrainingEvent"], None]


SourceArgument = Annotated[
    Path,
    typer.Argument(metavar="WORKSPACE|FILE", help="A workspace, or texts as .txt, .jsonl or .csv."),
]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="A new folder for the encoder.")]
NameOption = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help=f"A name in the workspace's {ENCODERS}.", show_default=DEFAULT_NAME),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="ENCODER", help="Go on with this encoder: a folder or hub id.", show_default="a new one"
    ),
]
VocabularyOption = Annotated[
    int | None, typer.Option(metavar="N", help="Tokens of a new encoder.", show_default="8000")
]
LayersOption = Annotated[int | None, typer.Option(metavar="N", help="Layers of a new encoder.", show_default="4")]
WidthOption = Annotated[
    int | None, typer.Option(metavar="N", help="Width of a new encoder's vectors.", show_default="256")
]
HeadsOption = Annotated[
    int | None, typer.Option(metavar="N", help="Attention heads of a new encoder.", show_default="4")
]
TokensOption = Annotated[
    int | None, typer.Option("--max-tokens", metavar="N", help="Longest piece of text.", show_default="128")
]
EpochsOption = Annotated[int | None, typer.Option(metavar="N", help="How often every text is seen.", show_default="20")]
BatchOption = Annotated[
    int | None, typer.Option("--batch-size", metavar="N", help="Pieces of text a step.", show_default="32")
]
RateOption = Annotated[
    float | None,
    typer.Option("--learning-rate", metavar="X", help="Highest rate.", show_default="0.001; with --from 0.00005"),
]
MaskOption = Annotated[float | None, typer.Option(metavar="X", help="Share of hidden tokens.", show_default="0.15")]
SeedOption = Annotated[int | None, typer.Option(metavar="N", help="Seed of every random draw.", show_default="0")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change another setting; repeatable.")
]
AnewOption = Annotated[bool, typer.Option("--anew", help="Start over where an unfinished run is there.")]
EventsOption = Annotated[
    str | None, typer.Option("--events", metavar="jsonl", help="Write each event as a JSON line to standard output.")
]


def pretrain(
    source: SourceArgument,
    *,
    out: OutOption = None,
    name: NameOption = None,
    encoder: FromOption = None,
    vocabulary: VocabularyOption = None,
    layers: LayersOption = None,
    width: WidthOption = None,
    heads: HeadsOption = None,
    max_tokens: TokensOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchOption = None,
    learning_rate: RateOption = None,
    mask: MaskOption = None,
    seed: SeedOption = None,
    settings: SetOption = None,
    anew: AnewOption = False,
    events: EventsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a text encoder to predict hidden words of the texts themselves; labels are not needed.

    The result is a folder that a recipe names as its text backbone. Interrupted or killed, the same command goes on
    from the last checkpoint. 5 % of the texts are held out to measure on; the scores before and after stand beside
    those of predicting each word by its frequency alone.

    Other settings for --set: dropout, lower_case, strip_accents, mask_users, mask_urls, emoji (words, keep, drop),
    held_out, weight_decay, warmup, clip, checkpoint_seconds, threads, precision (auto, fp32, bf16).
    """
    _check_events(events, as_json=as_json)
    size = {"vocabulary": vocabulary, "layers": layers, "width": width, "heads": heads, "max_tokens": max_tokens}
    pace = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "mask": mask, "seed": seed}
    given = _given(settings or [], size | pace)
    folder = _folder(source, out, name)
    with _listening(events) as emit:
        card = _train(source, folder, given, encoder or "", emit, anew=anew)
    if not events:
        answer({"folder": str(folder), "card": card}, lambda: _text(source, folder, card), as_json=as_json)


def _given(settings: list[str], options: dict[str, Any]) -> dict[str, Any]:
    from engine.training.pretraining.settings import read_overrides

    return read_overrides(settings) | {name: value for name, value in options.items() if value is not None}


def _train(
    source: Path, folder: Path, given: dict[str, Any], encoder: str, emit: Emit, *, anew: bool
) -> PretrainingCard:
    from engine.training.pretraining.run import Wanted, pretrain
    from engine.training.worker import be_modest

    be_modest()
    wanted = Wanted(lambda: _texts(source), source.absolute().name, folder, given, encoder, anew)
    with cancelled_by_signals() as cancelled:
        return pretrain(wanted, emit=emit, cancelled=cancelled)


def _check_events(events: str | None, *, as_json: bool) -> None:
    if events not in {None, "jsonl"}:
        raise InputError(f"Events cannot be written as '{events}'.", "Use --events jsonl.")
    if events and as_json:
        raise InputError("--events and --json both want standard output.", "Give one of them.")


def _folder(source: Path, out: Path | None, name: str | None) -> Path:
    """Return where the encoder goes; by default into the workspace, so that its recipes can name it."""
    if out is not None and name is not None:
        raise InputError("--out and --name both say where the encoder goes.", "Give one of them.")
    if out is not None:
        return out
    if not source.is_dir():
        raise InputError("There is no place for the encoder.", "Give one with --out FOLDER.")
    chosen = DEFAULT_NAME if name is None else name
    if not chosen or Path(chosen).name != chosen or chosen.startswith("."):
        raise InputError(f"'{chosen}' cannot be an encoder's name.", "Use letters, digits, dashes; or --out FOLDER.")
    return source / ENCODERS / chosen


def _texts(source: Path) -> Sequence[str]:
    from engine.training.pretraining.texts import read_texts

    found = read_texts(source)
    for problem in found.problems[:_SHOWN]:
        note(f"warning: {problem}")
    if len(found.problems) > _SHOWN:
        note(f"… and {counted(len(found.problems) - _SHOWN, 'more line')} that cannot be used.")
    return found.texts


@contextlib.contextmanager
def _listening(events: str | None) -> Iterator[Emit]:
    """Give a function that takes events: JSON lines on standard output, or a progress bar on standard error."""
    if events:

        def write(event: PretrainingEvent) -> None:
            answer_stream().write(encode(event).decode())
            answer_stream().flush()

        yield write
        return
    with progress("Pretraining") as show:
        yield lambda event: _follow(event, show)


def _follow(event: PretrainingEvent, show: Progress) -> None:
    if isinstance(event, RunProgress):
        show(event.done, event.total)
    elif isinstance(event, EpochEnded) and event.val_loss is not None:
        note(f"Epoch {event.epoch}: perplexity {math.exp(event.val_loss):.1f} on held-out texts.")
    elif isinstance(event, RunStarted):
        texts = ", ".join(f"{count} {side}" for side, count in event.items.items())
        going = f", going on after epoch {event.epoch}" if event.epoch else ""
        note(f"Pretraining on {event.device} (texts: {texts}){going}.")


def _text(source: Path, folder: Path, card: PretrainingCard) -> str:
    start = f" from {card.encoder}" if card.encoder else ""
    counts = card.texts
    rows = [
        _row("before", card.before),
        _row("after", card.after),
        _row("word frequencies alone", card.unigram),
    ]
    return "\n".join(
        [
            f"Pretrained the encoder '{folder}'{start} in {card.seconds:.0f} s on {counted(counts.train, 'text')} "
            f"({counts.read} read, {counts.distinct} of them different, {counts.held_out} held out).",
            "",
            table(
                [f"{counted(card.after.n, 'hidden token')} of held-out texts", "perplexity", "predicted right"], rows
            ),
            "",
            _judgement(card),
            "",
            *_usage(source, folder, card),
        ]
    )


def _row(name: str, scores: MaskedScores) -> list[str]:
    return [name, f"{scores.perplexity:.1f}", f"{scores.accuracy:.1%}"]


def _judgement(card: PretrainingCard) -> str:
    from engine.training.pretraining.card import LEAST_GAIN

    if card.learned:
        return "It predicts hidden words clearly better than before, and than by their frequency alone."
    if card.after.loss > card.unigram.loss - LEAST_GAIN:
        return (
            "It predicts hidden words hardly better than by their frequency alone: it has learned nothing of the "
            "language that would help. Give it more epochs or more texts."
        )
    return "It predicts hidden words hardly better than before: the encoder that it started from may serve as well."


def _usage(source: Path, folder: Path, card: PretrainingCard) -> Iterator[str]:
    """Yield how a recipe names the encoder; texts must be prepared as they were here."""
    inside = folder.parent.parent == source and folder.parent.name == ENCODERS
    spec = card.settings.text_spec(f"{ENCODERS}/{folder.name}" if inside else str(folder.absolute()))
    if inside:
        chosen = f"--set text.backbone={shlex.quote(spec.backbone)} --set text.max_tokens={spec.max_tokens}"
        yield "Train with it:"
        yield ""
        yield f"  secondlook retrain {shlex.quote(str(source))} {chosen}"
        yield ""
    yield "In a recipe:"
    yield ""
    yield "  [text]"
    yield from (f"  {line}" for line in _settings(spec))


def _settings(spec: Any) -> Iterator[str]:
    import msgspec

    from engine.training.pretraining.settings import SWITCHES

    for name in ("backbone", "max_tokens", *SWITCHES):
        yield f"{name} = {msgspec.json.encode(getattr(spec, name)).decode()}"
    yield 'pooling = "mean"'
