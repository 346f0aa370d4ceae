"""Recipes: how a model is built and trained, as TOML with a section for each part of it."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import InputError
from engine.models.registry import TEXT, WEIGHTS, misspelt, names, settled
from engine.models.spec import FusionSpec, HeadSpec, ImageSpec, NetworkSpec, TextSpec, problems
from engine.types import Struct

OPTIMIZERS = ("adamw", "adam")
STARTS = ("champion", "scratch")
BEST_BY = ("macro-f1", "val-loss")
AUTO, FP32, BF16 = PRECISIONS = ("auto", "fp32", "bf16")
REFIT_HEADS = (AUTO, "linear", "hidden")
CROSS_ENTROPY, FOCAL, FOCAL_SIGMOID = LOSSES = ("cross-entropy", "focal", "focal-sigmoid")
ITEM, AUTHOR = LEVELS = ("item", "author")
MIXED, ALTERNATING = BATCHES = ("mixed", "alternating")
TASKS = "tasks"
TASK_WEIGHTS = (0.001, 1000.0)


class DataRecipe(Struct, frozen=True, kw_only=True):
    """What is trained on.

    `val` and `test` are the shares of items set aside, `tasks` the tasks to train (empty: all of the taxonomy),
    `cache_mb` the memory for decoded screenshots in MiB; those beyond it are decoded anew each epoch.

    `level` "author" trains on profiles, one for each author: an author has one of the labels in `positive` (empty:
    those with a severity above 0) if at least one of the author's items has it.
    """

    val: float = 0.15
    test: float = 0.15
    tasks: tuple[str, ...] = ()
    cache_mb: int = 2048
    level: str = ITEM
    positive: tuple[str, ...] = ()


class TrainingRecipe(Struct, frozen=True, kw_only=True):
    """How it is trained.

    `start` "champion" goes on from the champion's weights where the network and its tasks are the same, else from
    scratch. `backbone_rate` multiplies the learning rate of a text or image backbone that came with pretrained weights
    (it wants less than fresh heads; a backbone that is trained from nothing learns as they do). `layer_decay`
    multiplies it again for each layer of a Hugging Face encoder below the last one (1: off). `warmup` is the share of
    steps in which the rate rises to `learning_rate`; it then falls linearly to zero. `clip` bounds the gradient's norm
    (0: off). `class_weights` weighs single labels by the inverse root of their frequency. `shift` (share of the side)
    and `brightness` (share of the value) bound the random changes to screenshots; pages are never mirrored. `best_by`
    chooses the epoch that is kept. `patience` ends training after that many epochs without a better one (0: never).
    `checkpoint_seconds` is the most work in seconds that a kill can lose. `precision` is "auto" (bf16 autocast where
    the hardware multiplies it), "fp32" or "bf16". `threads` is for the CPU (0: all cores).

    `loss` "focal" makes little of items that are answered well already: each part of the loss is multiplied by
    (1 - p)^`focal_gamma` (0: not at all), p being the probability of the truth over all labels, or with "focal-sigmoid"
    a yes or no for each label. `class_balance_beta` weighs labels by the inverse of their effective number of items
    (0: all alike, near 1: by frequency). `batches` "alternating" fills each batch with items that are labelled for the
    same tasks, in turns in proportion to their number; "mixed" does not.

    `soft_labels` trains on the share of reviewers who gave each label, instead of the label that most of them gave.
    `half_life_days` halves an item's weight for every so many days that its newest answer is older than the newest of
    all (0: all weigh alike).
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    backbone_rate: float = 1.0
    layer_decay: float = 1.0
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    label_smoothing: float = 0.0
    class_weights: bool = False
    shift: float = 0.03
    brightness: float = 0.1
    seed: int = 0
    start: str = "champion"
    best_by: str = "macro-f1"
    patience: int = 0
    checkpoint_seconds: float = 20.0
    precision: str = AUTO
    threads: int = 0
    loss: str = CROSS_ENTROPY
    focal_gamma: float = 2.0
    class_balance_beta: float = 0.0
    batches: str = MIXED
    soft_labels: bool = False
    half_life_days: float = 0.0


class RefitRecipe(Struct, frozen=True, kw_only=True):
    """How heads alone are fitted anew, on the vectors of backbones that stay as they are.

    `head` is "linear", "hidden" (one hidden layer) or "auto": as the champion's. `width` is a hidden layer's where the
    champion has none. `l2` is the weight of the squared weights in the mean loss; 0 means chosen on the
    validation items. `steps` is how many steps of L-BFGS a hidden layer takes together with what follows it. Labels and
    answers weigh what the training section says; smoothing and the focal part of its loss are left out.
    """

    head: str = AUTO
    width: int = 256
    l2: float = 0.0
    steps: int = 6


class CrossedOutRecipe(Struct, frozen=True, kw_only=True):
    """What becomes of the words and regions that reviewers crossed out as wrong reasons. Without any it has no effect.

    `hide` is the share of its steps in which an item lacks what was crossed out of it: words are left out, regions are
    filled with the same place of another item. `plant` is the share of items that are given, in a step, a part that
    was crossed out of an item with another label (0: none). `penalty` is the weight of the squared gradient of the
    log-probabilities by what was crossed out (0: off); it makes steps with such items two to three times as slow.
    """

    hide: float = 0.5
    plant: float = 0.5
    penalty: float = 0.0


class Recipe(Struct, frozen=True, kw_only=True):
    """A whole recipe; every section has defaults.

    `tasks` multiplies each task's loss; 1 for those that it leaves out.
    """

    data: DataRecipe = DataRecipe()
    text: TextSpec = TextSpec()
    image: ImageSpec = ImageSpec()
    fusion: FusionSpec = FusionSpec()
    training: TrainingRecipe = TrainingRecipe()
    refit: RefitRecipe = RefitRecipe()
    crossed_out: CrossedOutRecipe = CrossedOutRecipe()
    tasks: dict[str, float] = msgspec.field(default_factory=dict)

    def network(self, heads: tuple[HeadSpec, ...]) -> NetworkSpec:
        """Return the network that this recipe builds for these heads, here and now: "auto" is settled."""
        text = msgspec.structs.replace(self.text, backbone=settled(self.text.backbone))
        return NetworkSpec(heads=heads, text=text, image=self.image, fusion=self.fusion)

    def anchored(self, folder: Path) -> Recipe:
        """Return the recipe with the files and folders that it names made absolute, as seen from `folder`.

        A run may go on in another process, started elsewhere.
        """
        replace = msgspec.structs.replace
        backbone, weights = (_absolute(name, folder) for name in (self.text.backbone, self.image.weights))
        return replace(self, text=replace(self.text, backbone=backbone), image=replace(self.image, weights=weights))


_SECTIONS: dict[str, type[Struct]] = {
    "data": DataRecipe,
    "text": TextSpec,
    "image": ImageSpec,
    "fusion": FusionSpec,
    "training": TrainingRecipe,
    "refit": RefitRecipe,
    "crossed_out": CrossedOutRecipe,
}
_RANGES: dict[str, tuple[float, float]] = {
    "data.val": (0.05, 0.45),
    "data.test": (0.0, 0.45),
    "data.cache_mb": (0, 1 << 20),
    "training.epochs": (1, 10_000),
    "training.batch_size": (2, 4096),
    "training.learning_rate": (1e-8, 1.0),
    "training.backbone_rate": (0.0, 1.0),
    "training.layer_decay": (1e-3, 1.0),
    "training.weight_decay": (0.0, 10.0),
    "training.warmup": (0.0, 1.0),
    "training.clip": (0.0, 1e6),
    "training.label_smoothing": (0.0, 0.5),
    "training.half_life_days": (0.0, 36_500.0),
    "training.shift": (0.0, 0.25),
    "training.brightness": (0.0, 0.9),
    "training.seed": (0, 2**31 - 1),
    "training.patience": (0, 10_000),
    "training.checkpoint_seconds": (0.0, 86_400.0),
    "training.threads": (0, 1024),
    "crossed_out.hide": (0.0, 1.0),
    "crossed_out.plant": (0.0, 1.0),
    "crossed_out.penalty": (0.0, 1e6),
    "refit.width": (1, 65_536),
    "refit.l2": (0.0, 1e6),
    "refit.steps": (0, 1000),
    "training.focal_gamma": (0.0, 10.0),
    "training.class_balance_beta": (0.0, 0.999999),
}
_CHOICES = {
    "data.level": LEVELS,
    "training.optimizer": OPTIMIZERS,
    "training.start": STARTS,
    "training.best_by": BEST_BY,
    "training.precision": PRECISIONS,
    "refit.head": REFIT_HEADS,
    "training.loss": LOSSES,
    "training.batches": BATCHES,
}
_NAMES = {*names(TEXT), *names(WEIGHTS)}
_ANY_HEAD = (HeadSpec(task="any", labels=("a", "b")),)


def load_recipe(text: str, overrides: Sequence[str] = (), *, source: str = "the recipe") -> Recipe:
    """Return the recipe that this TOML text describes, with overrides such as "training.epochs=3" put over it.

    An override's value is read as TOML, and as a plain string where it is none. `source` names the text in errors.

    Raises:
        InputError: the text is not TOML, or there are unknown or impossible settings; names all of them.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source} is not TOML: {error}.", "Correct that line.") from error
    mistakes = list(_override(tables, overrides))
    sections: dict[str, Struct] = {}
    for name, table in tables.items():
        if name not in _SECTIONS and name != TASKS:
            mistakes.append(f"there is no section [{name}]{_hint(name, [*_SECTIONS, TASKS])}")
        elif not isinstance(table, dict):
            mistakes.append(f"{name} must be a section: write [{name}] on a line of its own")
        elif name != TASKS:
            sections[name] = _section(name, table, mistakes)
    weights = _task_weights(tables.get(TASKS, {}), mistakes)
    recipe = Recipe(**sections, tasks=weights)  # type: ignore[arg-type]
    mistakes += _impossible(recipe)
    if mistakes:
        raise InputError(f"{source} cannot be used: {'; '.join(mistakes)}.", "Correct the recipe and start again.")
    return recipe


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe in a file.

    Raises:
        InputError: the file cannot be read, or see `load_recipe`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe {path} cannot be read: {error}.", "Give a TOML file.") from error
    return load_recipe(text, overrides, source=str(path))


def dump_recipe(recipe: Recipe, *, without: Collection[str] = ()) -> str:
    """Return the whole recipe as TOML, defaults written out; `load_recipe` reads it back to an equal one.

    Sections named in `without` are left out.
    """
    lines: list[str] = []
    for name in (section for section in _SECTIONS if section not in without):
        lines.append(f"[{name}]")
        values = msgspec.to_builtins(getattr(recipe, name))
        lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
        lines.append("")
    lines += [f"[{TASKS}]", *(f"{_toml(task)} = {_toml(weight)}" for task, weight in recipe.tasks.items()), ""]
    return "\n".join(lines)


def _absolute(name: str, folder: Path) -> str:
    """Return the absolute path of what is a file or folder there; other names (hub ids, "cnn") as they are.

    A name of ours never means a folder that happens to be called so: write ./cnn for that one.
    """
    if name in _NAMES or not name.strip() or not (folder / name).exists():
        return name
    return str((folder / name).absolute())


def _toml(value: Any) -> str:
    """Return a value in TOML; JSON's strings, numbers, booleans and lists are TOML's too."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _override(tables: dict[str, Any], overrides: Sequence[str]) -> Iterator[str]:
    """Put the overrides into the tables; yields what is wrong with them."""
    for override in overrides:
        path, equals, value = override.partition("=")
        section, dot, key = path.strip().partition(".")
        if not (equals and dot and section and key):
            yield f"{override!r} is no setting: write SECTION.KEY=VALUE, such as training.epochs=3"
            continue
        table = tables.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = _value(value.strip())


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _section(name: str, table: Mapping[str, Any], mistakes: list[str]) -> Struct:
    """Return the section with every usable value; what is not usable is added to `mistakes`."""
    kind = _SECTIONS[name]
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            mistakes.append(f"[{name}] has no setting {key!r}{_hint(key, fields)}")
            continue
        try:
            values[key] = msgspec.convert(value, fields[key], strict=True)
        except msgspec.ValidationError as error:
            mistakes.append(f"{name}.{key} is {value!r}: {str(error)[:1].lower()}{str(error)[1:]}")
    return kind(**values)


def _task_weights(table: object, mistakes: list[str]) -> dict[str, float]:
    """Return the usable weights of section [tasks]; the others are added to `mistakes`."""
    if not isinstance(table, dict):
        return {}
    low, high = TASK_WEIGHTS
    weights: dict[str, float] = {}
    for task, value in table.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            weights[task] = float(value)
        else:
            mistakes.append(f"{TASKS}.{task} is {value!r}: a task's weight must be from {low:g} to {high:g}")
    return weights


def _impossible(recipe: Recipe) -> list[str]:
    sentences = [*problems(recipe.network(_ANY_HEAD)), *misspelt(recipe.text.backbone)]
    found = [sentence.rstrip(".") for sentence in sentences]
    for path, (low, high) in _RANGES.items():
        value = _at(recipe, path)
        if not (math.isfinite(value) and low <= value <= high):
            found.append(f"{path} is {value}: it must be from {low:g} to {high:g}")
    for path, choices in _CHOICES.items():
        value = _at(recipe, path)
        if value not in choices:
            found.append(f"{path} is {value!r}: use one of {', '.join(choices)}{_hint(value, choices)}")
    if recipe.training.class_weights and recipe.training.class_balance_beta:
        found.append("training.class_weights and training.class_balance_beta both weigh labels: use one of them")
    return found


def _at(recipe: Recipe, path: str) -> Any:
    section, _, key = path.partition(".")
    return getattr(getattr(recipe, section), key)


def _hint(given: str, known: Mapping[str, object] | Sequence[str]) -> str:
    near = get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""
