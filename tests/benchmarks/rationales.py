"""Do the words that an explanation names agree with the words that people marked, and does the verdict rest on them?

    python tests/benchmarks/rationales.py --data FOLDER [--model FOLDER] [--methods lime,ig]
        [--limit N] [--slow N] [--train-limit N] [--set training.threads=1] [--threads N] [--out FILE]

`--data` is a folder with `hatexplain/`; nothing of it is copied but numbers. Without `--model` the recipe `text` is
trained on its training posts (and kept under `--work`). Explained are the validation posts that most annotators call
hateful or offensive, as in Mathew et al. 2021 (HateXplain) and its published code: a predicted rationale is the tokens
of the largest weights, comprehensiveness is p(x) − p(x without them), sufficiency p(x) − p(they alone), p being the
predicted label's probability and hiding being deletion. Two tables: a token counts as marked if anyone marked it (the
published code's choice), or if at least two of the three annotators did.

Settings are chosen on the posts of one half (by a hash of the id): method, label explained, how the weights of a
token's words become one, how much neighbours share, and how many tokens (a number, or a share of the post, on average
no more than people mark), by the sum of token-F1 and comprehensiveness. Figures are the other half's. Stopped or
killed, the same command goes on. With one thread a post costs about 8 s of processor time, 2 s of it without ig and
gradient: those two explain only the first `--slow` posts (by a hash of the id), on which every method stands beside
them in tables of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from engine.cli.output import table
from engine.cli.signals import cancelled_by_signals
from engine.errors import CancelledError, EngineError, InputError
from engine.explain.faithfulness.agreement import Rationale, Scores, auprc, iou_f1, token_f1, top
from engine.explain.methods import explain_by
from engine.models import checkpoint
from engine.models.predictor import Predictor
from engine.training.evaluate import evaluate
from engine.training.experiment.sources import load_items
from engine.types import ItemContent
from tests.benchmarks.rationales_model import tell, trained_model

WORK = Path("build/bench/rationales")
METHODS = ("lime", "occlusion", "attention", "gradient", "ig")
SLOW = ("gradient", "ig")
NORMAL = "normal"
PREDICTED, AGAINST = "predicted", "against normal"
"""The label explained: the predicted one, or none but normal (the weights of "normal" with their signs changed)."""
UNION, MAJORITY = "union", "majority"
SIZES = ("3", "4", "5", "6", "8", "10", "20%", "30%", "40%", "50%")
PUBLISHED_SIZE = "5"
JOINS: dict[str, Callable[[Sequence[float]], float]] = {"sum": sum, "max": max}
SHARED = (0.0, 0.25, 0.5)
"""How much of each neighbour's weight a token takes on."""
RANDOM_DRAWS = 5
PUBLISHED = {
    "published: BiAtt-BiRNN, LIME": {"token_f1": 0.410, "iou_f1": 0.188, "comprehensiveness": 0.319},
    "published: BERT, attention taught": {"token_f1": 0.567, "iou_f1": 0.142, "comprehensiveness": 0.586},
    "published: one annotator, other two": {"token_f1": 0.692},
}
COLUMNS = {
    "token_f1": "token-F1",
    "iou_f1": "IOU-F1 (tokens)",
    "iou_f1_runs": "IOU-F1 (runs)",
    "auprc": "AUPRC",
    "comprehensiveness": "comprehensiveness",
    "sufficiency": "sufficiency",
}


class Post(msgspec.Struct, frozen=True):
    """A post that most annotators call hateful or offensive; one rationale for each annotator who marked words."""

    id: str
    tokens: tuple[str, ...]
    labels: tuple[str, ...]
    rationales: tuple[tuple[int, ...], ...]

    @property
    def content(self) -> ItemContent:
        return ItemContent(id=self.id, kind="tweet", text=" ".join(self.tokens))

    @property
    def chooses(self) -> bool:
        """Whether it is of the half that settings are chosen on."""
        return hashlib.sha256(self.id.encode()).digest()[0] % 2 == 0

    def truth(self, how: str) -> Rationale:
        """The tokens that anyone marked, or that at least two annotators did."""
        marked: Rationale = np.sum(self.rationales, axis=0) >= (1 if how == UNION else 2)
        return marked


class Weighed(msgspec.Struct, frozen=True):
    """A method's answer for one post: the weights of the words in each of its tokens."""

    id: str
    words: tuple[tuple[float, ...], ...]


class Setting(msgspec.Struct, frozen=True):
    """How tokens are chosen: `size` is a number of them, or a share of the post such as "30%"."""

    method: str
    label: str
    join: str
    shared: float
    size: str

    @property
    def words(self) -> str:
        near = f", {self.shared:.0%} of its neighbours" if self.shared else ""
        return f"{self.method}, {self.label}, {self.join}{near}, top {self.size}"

    def scores(self, weighed: Weighed) -> Scores:
        """One weight a token, (tokens,)."""
        found = np.pad([JOINS[self.join](words) if words else 0.0 for words in weighed.words], 1)
        scores: Scores = found[1:-1] + self.shared * (found[:-2] + found[2:])
        return scores


def tokens_of(size: str, post: Post) -> int:
    """How many tokens a size means for a post; one at least."""
    if size.endswith("%"):
        return max(1, round(float(size[:-1]) / 100 * len(post.tokens)))
    return min(int(size), len(post.tokens))


def posts_of(file: Path, limit: int) -> list[Post]:
    """The posts to explain, in the order of a hash of their ids; at most so many, 0 for all."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        post = msgspec.json.decode(line, type=Post)
        label, votes = Counter(post.labels).most_common(1)[0]
        if label != NORMAL and votes > 1 and any(map(any, post.rationales)):
            found.append(post)
    found.sort(key=lambda post: hashlib.sha256(post.id.encode()).hexdigest())
    return found[: limit or None]


class Asked:
    """The model's probabilities for texts, (labels,), each text asked once."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.task, self.labels = next(iter(predictor.card.tasks.items()))
        self._known: dict[str, npt.NDArray[np.float64]] = {}

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            vectors = self.predictor.text_vectors(new)
            image = self.predictor.missing_image.expand(len(new), -1)
            self._known |= dict(zip(new, self.predictor.probabilities(self.task, vectors, image), strict=True))
        return np.stack([self._known[text] for text in texts])

    def predicted(self, post: Post) -> str:
        """The label of the largest probability."""
        return self.labels[int(self([post.content.text])[0].argmax())]


def weighed(
    asked: Asked, posts: Sequence[Post], method: str, label: str, file: Path, check: Callable[[], None]
) -> dict[str, Weighed]:
    """The method's weights for all posts, those in `file` not computed again; new ones are added to it.

    Raises:
        EngineError: the method cannot explain this model.
    """
    lines = file.read_bytes().splitlines() if file.exists() else []
    known = {one.id: one for one in (_read(line) for line in lines) if one is not None}
    missing = [post for post in posts if post.id not in known]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as out:
        for number, post in enumerate(missing):
            check()
            tell(f"{method}, {label}: {number}/{len(missing)}")
            one = _weigh(asked, post, method, label)
            known[post.id] = one
            out.write(b"\n" + msgspec.json.encode(one))  # half a line of a killed run ends here
            out.flush()
    return known


def _read(line: bytes) -> Weighed | None:
    """A record; None for the half of a line that a killed run left."""
    try:
        return msgspec.json.decode(line, type=Weighed)
    except msgspec.DecodeError:
        return None


def _weigh(asked: Asked, post: Post, method: str, label: str) -> Weighed:
    explained = asked.predicted(post) if label == PREDICTED else NORMAL
    sign = 1.0 if label == PREDICTED else -1.0
    found = explain_by(method, asked.predictor, post.content, asked.task, explained)
    ends = np.cumsum([len(token) + 1 for token in post.tokens])
    words: list[list[float]] = [[] for _ in post.tokens]
    for word in found.tokens:
        words[int(np.searchsorted(ends, word.start, side="right"))].append(sign * word.weight)
    return Weighed(post.id, tuple(map(tuple, words)))


def faith(asked: Asked, posts: Sequence[Post], rationales: Sequence[Rationale]) -> dict[str, float]:
    """Mean comprehensiveness and sufficiency of the predicted label."""

    def texts(post: Post, rationale: Rationale) -> list[str]:
        return [
            post.content.text,
            " ".join(token for token, chosen in zip(post.tokens, rationale, strict=True) if not chosen),
            " ".join(token for token, chosen in zip(post.tokens, rationale, strict=True) if chosen),
        ]

    every = [text for post, rationale in zip(posts, rationales, strict=True) for text in texts(post, rationale)]
    answers = asked(every).reshape(len(posts), 3, -1)
    columns = answers[:, 0].argmax(axis=1)
    whole, without, alone = np.take_along_axis(answers, columns[:, None, None], axis=2)[:, :, 0].T
    return {
        "comprehensiveness": float((whole - without).mean()),
        "sufficiency": float((whole - alone).mean()),
    }


def agree(
    truths: Sequence[Rationale], rationales: Sequence[Rationale], scores: Sequence[Scores] | None = None
) -> dict[str, float]:
    """Token-F1, both IOU-F1, and AUPRC where there are scores."""
    return {
        "token_f1": token_f1(truths, rationales),
        "iou_f1": iou_f1(truths, rationales, joined=False),
        "iou_f1_runs": iou_f1(truths, rationales),
        **({"auprc": auprc(truths, scores)} if scores is not None else {}),
    }


def measured(asked: Asked, posts: Sequence[Post], scores: Sequence[Scores], size: str, how: str) -> dict[str, float]:
    """Every figure of tokens with these scores."""
    rationales = [top(score, tokens_of(size, post)) for post, score in zip(posts, scores, strict=True)]
    return agree([post.truth(how) for post in posts], rationales, scores) | faith(asked, posts, rationales)


Weights = Mapping[tuple[str, str], Mapping[str, Weighed]]


def candidates(posts: Sequence[Post], weights: Weights, how: str) -> Iterator[Setting]:
    """Each method and label explained, a token's words joined as AUPRC likes best, neighbours sharing more or less, in
    all sizes that name no more tokens than people mark, on average and rounded up.
    """
    truths = [post.truth(how) for post in posts]
    most = math.ceil(np.mean([truth.sum() for truth in truths]))
    sizes = [size for size in SIZES if np.mean([tokens_of(size, post) for post in posts]) <= most] or SIZES[:1]
    for (method, label), of in weights.items():
        ways = [Setting(method, label, join, 0.0, PUBLISHED_SIZE) for join in JOINS]
        best = max(ways, key=lambda way: auprc(truths, [way.scores(of[post.id]) for post in posts]))
        for shared in SHARED:
            yield from (msgspec.structs.replace(best, shared=shared, size=size) for size in sizes)


def at_random(asked: Asked, posts: Sequence[Post], size: str, how: str) -> dict[str, float]:
    """The mean figures of tokens drawn at random."""
    draws = []
    for seed in range(RANDOM_DRAWS):
        random = np.random.default_rng(seed)
        draws.append(measured(asked, posts, [random.random(len(post.tokens)) for post in posts], size, how))
    return {name: float(np.mean([draw[name] for draw in draws])) for name in draws[0]}


def people(asked: Asked, posts: Sequence[Post]) -> dict[str, float]:
    """Each annotator against the others (tokens that any of them marked); faithfulness is of what anyone marked."""
    truths: list[Rationale] = []
    named: list[Rationale] = []
    for post in posts:
        marks = np.array(post.rationales, dtype=bool)
        for number in range(len(marks) if len(marks) > 1 else 0):
            named.append(marks[number])
            truths.append(np.delete(marks, number, axis=0).sum(axis=0) > 0)
    return agree(truths, named) | faith(asked, posts, [post.truth(UNION) for post in posts])


def report(asked: Asked, choose: Sequence[Post], rest: Sequence[Post], weights: Weights, how: str) -> dict[str, Any]:
    """Choose on one half and measure on the other: the chosen setting, each method's best, and rows to stand beside."""

    def scored(posts: Sequence[Post], one: Setting) -> dict[str, float]:
        of = weights[one.method, one.label]
        return measured(asked, posts, [one.scores(of[post.id]) for post in posts], one.size, how)

    tried = {setting: scored(choose, setting) for setting in candidates(choose, weights, how)}

    def best(of: Callable[[Setting], bool]) -> Setting:
        return max(filter(of, tried), key=lambda one: tried[one]["token_f1"] + tried[one]["comprehensiveness"])

    chosen = best(lambda _: True)
    rows = {f"chosen: {chosen.words}": chosen}
    for method in dict.fromkeys(method for method, _ in weights):
        own = best(lambda setting, method=method: setting.method == method)  # type: ignore[misc]
        rows[f"best of {own.words}"] = own
        plain = Setting(method, PREDICTED, "sum", 0.0, PUBLISHED_SIZE)
        rows[f"as published: {plain.words}"] = plain
    figures = {name: scored(rest, one) for name, one in rows.items()}
    figures |= {f"random, top {size}": at_random(asked, rest, size, how) for size in (chosen.size, PUBLISHED_SIZE)}
    figures["one annotator, the others"] = people(asked, rest)
    return {"truth": how, "chosen": chosen, "on_the_other_half": tried[chosen], "rows": figures | PUBLISHED}


def words_of(found: Mapping[str, Any]) -> str:
    """A table as people read it."""
    lines = [
        [name, *(f"{row[key]:.3f}" if key in row else "–" for key in COLUMNS)] for name, row in found["rows"].items()
    ]
    where = "anyone marked" if found["truth"] == UNION else "at least two of three annotators marked"
    return f"Marked is what {where}.\n{table(['', *COLUMNS.values()], lines)}"


def all_weights(
    asked: Asked, posts: Sequence[Post], methods: Sequence[str], folder: Path, check: Callable[[], None]
) -> Weights:
    """The weights of every method and label explained; attention explains no label, so it has one row."""
    found: dict[tuple[str, str], Mapping[str, Weighed]] = {}
    for method in methods:
        for label in (PREDICTED,) if method == "attention" else (PREDICTED, AGAINST):
            file = folder / f"{method}-{label.replace(' ', '-')}.jsonl"
            try:
                found[method, label] = weighed(asked, posts, method, label, file, check)
            except CancelledError:
                raise
            except EngineError as error:
                sys.stderr.write(f"\n{method} is left out: {error}\n")
                break
    if not found:
        raise InputError("None of the methods can explain this model.", "Name others with --methods.")
    return found


def measure(options: argparse.Namespace, model: Path, check: Callable[[], None]) -> dict[str, Any]:
    """Everything that is reported."""
    asked = Asked(Predictor.load(model, "cpu"))
    asked.predictor.trust_encoders()
    if NORMAL not in asked.labels:
        raise InputError(f"The model in {model} has no label '{NORMAL}'.", "Leave --model out to train one.")
    posts = posts_of(options.data / "hatexplain" / "val.jsonl", options.limit)
    choose, rest = divided(posts)
    folder = options.work / "weights" / checkpoint.weights_digest(model)[:12]
    methods = options.methods.split(",")
    beside = [method for method in methods if method not in SLOW] if options.slow else methods
    if not beside:
        raise InputError("Slow methods alone have nothing beside them.", "Name others, too, or add: --slow 0")
    weights = all_weights(asked, posts, beside, folder, check)
    held_out = [item for item in load_items(options.data / "hatexplain").items if item.split == "val"]
    metrics = evaluate(asked.predictor, held_out[: options.limit or None])
    return {
        "model": str(model),
        "posts": {"choose": len(choose), "report": len(rest)},
        "model_on_val": metrics,
        "mean_rationale": {how: float(np.mean([post.truth(how).sum() for post in posts])) for how in (UNION, MAJORITY)},
        "tables": [report(asked, choose, rest, weights, how) for how in (UNION, MAJORITY)],
        **({} if beside == methods else slow_ones(asked, posts[: options.slow], methods, folder, check)),
    }


def slow_ones(
    asked: Asked, posts: Sequence[Post], methods: Sequence[str], folder: Path, check: Callable[[], None]
) -> dict[str, Any]:
    """Tables of all methods on the posts that the slow ones explained, the first by a hash of their ids.

    Raises:
        CancelledError: somebody stopped it.
        InputError: the posts are too few to divide.
    """
    choose, rest = divided(posts)
    weights = all_weights(asked, posts, methods, folder, check)
    return {
        "posts_with_slow_methods": {"choose": len(choose), "report": len(rest)},
        "tables_with_slow_methods": [report(asked, choose, rest, weights, how) for how in (UNION, MAJORITY)],
    }


def divided(posts: Sequence[Post]) -> tuple[list[Post], list[Post]]:
    """The half that settings are chosen on, and the half that is reported.

    Raises:
        InputError: one of them would be empty.
    """
    choose, rest = [post for post in posts if post.chooses], [post for post in posts if not post.chooses]
    if not choose or not rest:
        raise InputError(f"{len(posts)} posts are too few to divide.", "Raise --limit and --slow.")
    return choose, rest


def main(arguments: Sequence[str]) -> int:
    """Train where that is needed, explain, print and write; 2 where the data is not there."""
    options = _options(arguments)
    folder = options.data / "hatexplain"
    if not (folder / "val.jsonl").is_file():
        sys.stderr.write(f"Not measured: there is no hatexplain/val.jsonl in {options.data}. Give --data FOLDER.\n")
        return 2
    if options.threads:
        torch.set_num_threads(options.threads)
    with cancelled_by_signals() as cancelled:

        def check() -> None:
            if cancelled():
                raise CancelledError("Stopped. What was measured is kept: the same command goes on from here.")

        model = options.model or trained_model(folder, options.work, options.set, options.train_limit, cancelled)
        found = measure(options, model, check)
    sys.stderr.write("\n")
    for one in (*found["tables"], *found.get("tables_with_slow_methods", ())):
        print(words_of(one), "\n")  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with hatexplain/")
    parser.add_argument("--model", type=Path, default=None, help="a trained model's folder")
    parser.add_argument("--methods", default=",".join(METHODS), help="which methods, with commas")
    parser.add_argument("--limit", type=int, default=0, help="at most so many posts; 0: all")
    parser.add_argument("--slow", type=int, default=150, help="at most so many posts for ig and gradient; 0: all")
    parser.add_argument("--train-limit", type=int, default=0, help="train on at most so many posts; 0: all")
    parser.add_argument("--set", action="append", default=[], help="change a setting of the recipe")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves its choice")
    parser.add_argument("--work", type=Path, default=WORK, help="where the model and the weights are kept")
    parser.add_argument("--out", type=Path, default=Path("build/bench/rationales.json"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EngineError as error:
        sys.exit(str(error))
