"""From prepared text to token numbers: byte pairs or characters learned from it, or an encoder's own tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from engine.errors import ModelUnavailableError
from engine.models import minilm
from engine.models.hub import from_hub
from engine.models.located import NOWHERE, Located, Span, found_offsets, raw_spans
from engine.models.pieces import Pieces, suits
from engine.models.registry import BERT_TINY, CHARACTERS, MINILM, OWN, text_backbone
from engine.models.spec import NONE, NetworkSpec, TextSpec
from engine.models.text import input_text, prepared_in_reach

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAD = "[PAD]"
UNKNOWN = "[UNK]"
BEGIN = "[CLS]"
TOKENIZER_FILE = "tokenizer.json"
ENCODER_FOLDER = "text"


class TextTokenizer(Protocol):
    """Turns raw model text into token numbers."""

    vocabulary: int
    pad: int

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of raw texts, at most `max_tokens` each, special tokens included, no padding."""

    def locate(self, text: str) -> Located:
        """The token numbers of one raw text, as `encode` gives them, and what each stands for."""

    def save(self, folder: Path) -> None:
        """Write what `load_tokenizer` needs into an existing folder."""


class LearnedTokens:
    """A tokenizer whose vocabulary was learned from the training texts."""

    def __init__(self, tokenizer: Tokenizer, spec: TextSpec) -> None:
        self._tokenizer = tokenizer
        self._spec = spec
        self.vocabulary = tokenizer.get_vocab_size()
        self.pad = _pad_of(tokenizer.token_to_id(PAD), spec.backbone)
        tokenizer.no_padding()
        tokenizer.enable_truncation(spec.max_tokens)

    @classmethod
    def byte_pairs(cls, texts: Iterable[str], spec: TextSpec) -> LearnedTokens:
        """Learn at most `spec.vocabulary` byte-level byte pairs (Sennrich et al. 2016): no string is ever unknown.

        The same texts give the same tokens. For bert-tiny every text begins with one token more, whose hidden state can
        stand for the text.
        """
        special = [PAD, UNKNOWN, *([BEGIN] if spec.backbone == BERT_TINY else [])]
        tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.post_processor = _begins() if BEGIN in special else processors.ByteLevel(trim_offsets=True)
        trainer = trainers.BpeTrainer(
            vocab_size=spec.vocabulary,
            min_frequency=2,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator((input_text(text, spec) for text in texts), trainer)
        return cls(tokenizer, spec)

    @classmethod
    def characters(cls, texts: Iterable[str], spec: TextSpec) -> LearnedTokens:
        """Learn the `spec.vocabulary` most frequent characters: one token for each of prepared text, blanks included.

        So the token at a place is the character at that place, and `Prepared` says where it came from. Characters that
        no training text has are unknown.
        """
        tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
        trainer = trainers.WordLevelTrainer(
            vocab_size=spec.vocabulary, special_tokens=[PAD, UNKNOWN], show_progress=False
        )
        tokenizer.train_from_iterator((input_text(text, spec) for text in texts), trainer)
        return cls(tokenizer, spec)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See `TextTokenizer`. A text of blanks alone gives one padding token, so that no sequence is empty."""
        encodings = self._tokenizer.encode_batch([input_text(text, self._spec) for text in texts])
        return [encoding.ids or [self.pad] for encoding in encodings]

    def locate(self, text: str) -> Located:
        """See `TextTokenizer`."""
        prepared = prepared_in_reach(text, self._spec)
        encoding = self._tokenizer.encode(prepared.text)
        spans = raw_spans(prepared, encoding.offsets)
        ids = tuple(encoding.ids) or (self.pad,)
        return Located(ids=ids, spans=spans or (NOWHERE,), blank=self.pad, limit=self._spec.max_tokens)

    def save(self, folder: Path) -> None:
        """See `TextTokenizer`."""
        (folder / TOKENIZER_FILE).write_text(self._tokenizer.to_str(pretty=False), encoding="utf-8")


class EncoderTokens:
    """The tokenizer that belongs to a Hugging Face encoder."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, spec: TextSpec) -> None:
        self._tokenizer = tokenizer
        self._spec = spec
        self._limit = min(spec.max_tokens, tokenizer.model_max_length)
        self.vocabulary = len(tokenizer)
        self.pad = _pad_of(tokenizer.pad_token_id, spec.backbone)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See `TextTokenizer`."""
        if not texts:
            return []
        if self._tokenizer.is_fast:
            return self._encode_at_once(texts)
        encoded = self._tokenizer(
            [input_text(text, self._spec) for text in texts],
            truncation=True,
            max_length=self._limit,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return [list(ids) or [self.pad] for ids in encoded["input_ids"]]

    def _encode_at_once(self, texts: Sequence[str]) -> list[list[int]]:
        """What calling the tokenizer gives, in half the time: it also makes masks, offsets and types of tokens."""
        backend: Tokenizer = self._tokenizer.backend_tokenizer
        backend.no_padding()
        backend.enable_truncation(self._limit, direction=self._tokenizer.truncation_side)
        together = self._pieces.encode(texts) if self._pieces is not None else None
        if together is not None:
            return together
        prepared = [input_text(text, self._spec) for text in texts]
        return [encoding.ids or [self.pad] for encoding in backend.encode_batch_fast(prepared)]

    @cached_property
    def _pieces(self) -> Pieces | None:
        """Puts versions of one text together, where the tokenizer allows that."""
        backend: Tokenizer = self._tokenizer.backend_tokenizer
        cut_behind = self._tokenizer.truncation_side == "right"
        return Pieces(backend, self._spec, self._limit) if cut_behind and suits(backend) else None

    def locate(self, text: str) -> Located:
        """See `TextTokenizer`.

        Raises:
            ModelUnavailableError: the tokenizer cannot say what its tokens stand for.
        """
        prepared = prepared_in_reach(text, self._spec)
        ids = tuple(self.encode([text])[0])
        spans = raw_spans(prepared, self._offsets(prepared.text))
        blank = self._tokenizer.mask_token_id
        return Located(ids=ids, spans=spans, blank=blank if isinstance(blank, int) else self.pad, limit=self._limit)

    def _offsets(self, prepared: str) -> list[Span]:
        """Offsets of the tokens in the prepared text; nothing tells those of a tokenizer written in Python."""
        fast = self._tokenizer.is_fast
        told = self._tokenizer(
            prepared,
            truncation=True,
            max_length=self._limit,
            return_offsets_mapping=fast,
            return_special_tokens_mask=True,
        )
        if fast:
            return [(int(start), int(end)) for start, end in told["offset_mapping"]] or [NOWHERE]
        found = found_offsets(prepared, self._tokenizer.tokenize)
        if len(found) != len(self._tokenizer.tokenize(prepared)):
            raise ModelUnavailableError(
                f"The tokenizer of {self._spec.backbone!r} does not say which words its tokens stand for.",
                "Explain this model with --method lime or occlusion.",
            )
        words = iter(found)
        return [NOWHERE if special else next(words) for special in told["special_tokens_mask"]] or [NOWHERE]

    def save(self, folder: Path) -> None:
        """See `TextTokenizer`."""
        self._tokenizer.save_pretrained(folder / ENCODER_FOLDER)


def tokenizer_for(spec: NetworkSpec, texts: Iterable[str]) -> TextTokenizer | None:
    """A tokenizer for a new network: learned from raw `texts`, or the pretrained encoder's own; None without text.

    Raises:
        ModelUnavailableError: the encoder's tokenizer is neither at hand nor on the hub.
    """
    if spec.text.backbone == NONE:
        return None
    tokens = text_backbone(spec.text.backbone).tokens
    if tokens != OWN:
        learn = LearnedTokens.characters if tokens == CHARACTERS else LearnedTokens.byte_pairs
        return learn(texts, spec.text)
    name = str(minilm.installed_folder()) if spec.text.backbone == MINILM else spec.text.backbone
    return EncoderTokens(_pretrained(name), spec.text)


def load_tokenizer(folder: Path, spec: NetworkSpec) -> TextTokenizer | None:
    """The tokenizer saved in a model's folder; None for a network without text.

    Raises:
        ModelUnavailableError: its files are missing. Damage is found by the checkpoint's digests before this is called.
    """
    if spec.text.backbone == NONE:
        return None
    own = text_backbone(spec.text.backbone).tokens == OWN
    path = folder / (ENCODER_FOLDER if own else TOKENIZER_FILE)
    if not path.exists():
        raise ModelUnavailableError(f"The model in {folder} lacks its tokenizer ({path.name}).", "Use another model.")
    if own:
        return EncoderTokens(_pretrained(str(path)), spec.text)
    return LearnedTokens(Tokenizer.from_str(path.read_text(encoding="utf-8")), spec.text)


def _begins() -> processors.Sequence:
    begin = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 2)])
    return processors.Sequence([processors.ByteLevel(trim_offsets=True), begin])


def _pretrained(name: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    loaded: Any = from_hub(name, "tokenizer", lambda **where: AutoTokenizer.from_pretrained(name, **where))
    tokenizer: PreTrainedTokenizerBase = loaded
    return tokenizer


def _pad_of(number: object, backbone: str) -> int:
    if not isinstance(number, int):
        raise ModelUnavailableError(
            f"The tokenizer of {backbone!r} has no padding token, so it belongs to no encoder.",
            "Choose an encoder such as a BERT.",
        )
    return number
