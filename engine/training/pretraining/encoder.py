"""The encoder that learns: a new small RoBERTa with byte pairs of its own, or one that has learned already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn

from engine.errors import InputError, ModelUnavailableError
from engine.models.hub import from_hub
from engine.training.pretraining.corpus import Pieces
from engine.training.pretraining.masking import Masked, Vocabulary
from engine.training.pretraining.settings import PretrainingSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BEGIN, PAD, END, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
SPECIAL = (BEGIN, PAD, END, UNKNOWN, MASK)
"""RoBERTa's special tokens at RoBERTa's numbers, 0 to 4."""
_STEP = 64
"""The head works on a multiple of so many places: every new shape costs the CPU's bf16 kernels compiling and memory."""
_OFFSET = 2
"""RoBERTa numbers positions from the padding token's number plus one."""


@dataclass(frozen=True)
class Encoder:
    """An encoder with its head for hidden tokens, and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens it predicts among: never more than the tokenizer knows, whatever the model has room for."""
        mask = self.tokenizer.mask_token_id
        assert isinstance(mask, int), "checked when it was loaded"
        return Vocabulary.of(len(self.tokenizer), self.tokenizer.all_special_ids, mask)

    def predictions(self, batch: Masked) -> Tensor:
        """Return (M, V) logits for the M hidden places only; all others would be thrown away.

        With 8,000 tokens of vocabulary and 15 % hidden this saves most of the head's work and memory.
        """
        head = _head(self.model)
        if head is None:
            logits: Tensor = self.model(input_ids=batch.ids, attention_mask=batch.attention.long()).logits
            return logits[batch.chosen].float()
        hidden = self.model.base_model(input_ids=batch.ids, attention_mask=batch.attention.long()).last_hidden_state
        vectors = hidden[batch.chosen]
        logits = head(nn.functional.pad(vectors, (0, 0, 0, -len(vectors) % _STEP)))[: len(vectors)]
        return logits.float()

    def expect(self, pieces: Pieces) -> None:
        """Let a new encoder's head begin with each token's frequency in `pieces` instead of spending steps on it."""
        words = self.vocabulary
        counts = torch.from_numpy(np.bincount(pieces.flat, minlength=words.size)) + 1.0
        counts[words.special] = 1.0
        head: Any = self.model.get_output_embeddings()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            head.bias.copy_((counts / counts.sum()).log())

    def save(self, folder: Path) -> None:
        """Write model.safetensors, config.json and the tokenizer's files into an existing folder."""
        _without_bars()
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def new_encoder(texts: Iterable[str], settings: PretrainingSettings) -> Encoder:
    """Return a RoBERTa (Liu et al. 2019) with random weights and byte-level BPE learned from prepared `texts`.

    So was BERTaTweetGR made (Perifanos and Goutsos 2021, section 4.1). Seed torch first to repeat it.
    """
    from transformers import RobertaConfig, RobertaForMaskedLM

    tokenizer = _byte_pairs(texts, settings)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=4 * settings.width,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
        max_position_embeddings=settings.max_tokens + _OFFSET,
        type_vocab_size=1,
        bos_token_id=SPECIAL.index(BEGIN),
        pad_token_id=SPECIAL.index(PAD),
        eos_token_id=SPECIAL.index(END),
    )
    return Encoder(RobertaForMaskedLM(config), tokenizer)


def load_encoder(name: str) -> Encoder:
    """Return the encoder in a folder or on the hub, safetensors only; a head that it lacks starts with random weights.

    Raises:
        ModelUnavailableError: it is not at hand and cannot be fetched, or cannot predict hidden tokens.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    if _looks_like_a_folder(name) and not Path(name).is_dir():
        raise ModelUnavailableError(f"There is no encoder folder '{name}'.", "Check the path after --from.")
    tokenizer: Any = from_hub(name, "tokenizer", lambda **where: AutoTokenizer.from_pretrained(name, **where))

    def load(**where: bool) -> Any:
        return AutoModelForMaskedLM.from_pretrained(name, use_safetensors=True, dtype=torch.float32, **where)

    model: Any = from_hub(name, "encoder", load)
    if tokenizer.mask_token_id is None or tokenizer.pad_token_id is None:
        raise ModelUnavailableError(
            f"The tokenizer of '{name}' has no mask or padding token, so it cannot learn from hidden words.",
            "Choose an encoder such as a BERT or a RoBERTa.",
        )
    return Encoder(model, tokenizer)


def longest_input(encoder: Encoder) -> int:
    """Return how many tokens the encoder reads at most, special ones included."""
    config = encoder.model.config
    limit = int(getattr(config, "max_position_embeddings", 0) or 1 << 30)
    embeddings = getattr(encoder.model.base_model, "embeddings", None)
    if getattr(embeddings, "padding_idx", None) is not None:  # RoBERTa's way of numbering
        limit -= int(config.pad_token_id) + 1
    return min(limit, int(encoder.tokenizer.model_max_length))


def fitted(settings: PretrainingSettings, encoder: Encoder, *, asked: bool) -> PretrainingSettings:
    """Return the settings with `max_tokens` brought within what the encoder reads.

    Raises:
        InputError: the user `asked` for more.
    """
    most = longest_input(encoder)
    if settings.max_tokens <= most:
        return settings
    if asked:
        raise InputError(f"The encoder reads at most {most} tokens, not {settings.max_tokens}.", "Lower max_tokens.")
    return msgspec.structs.replace(settings, max_tokens=most)


def _byte_pairs(texts: Iterable[str], settings: PretrainingSettings) -> PreTrainedTokenizerBase:
    """Return byte-level BPE (Sennrich et al. 2016) with RoBERTa's special tokens.

    A blank is put before the first word, so that it has the same tokens as within a text. What looks like a special
    token in a text ("<s>" in a product's description) stays ordinary characters.
    """
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    ends = ((END, SPECIAL.index(END)), (BEGIN, SPECIAL.index(BEGIN)))
    bpe.post_processor = processors.RobertaProcessing(*ends, trim_offsets=True, add_prefix_space=True)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe,
        bos_token=BEGIN,
        cls_token=BEGIN,
        pad_token=PAD,
        eos_token=END,
        sep_token=END,
        unk_token=UNKNOWN,
        mask_token=MASK,
        model_max_length=settings.max_tokens,
        split_special_tokens=True,
    )


def _head(model: PreTrainedModel) -> nn.Module | None:
    """What turns vectors into logits, under the names that RoBERTa's and BERT's kin give it."""
    for name in ("lm_head", "cls"):
        head = getattr(model, name, None)
        if isinstance(head, nn.Module):
            return head
    return None


def _looks_like_a_folder(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def _without_bars() -> None:
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
