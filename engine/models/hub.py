"""Getting encoders and weights from a local folder, the hub's cache, or the hub; never code, never a pickle."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import ModelUnavailableError

WEIGHTS = "model.safetensors"
_log = logging.getLogger(__name__)
_WAYS_OUT = (
    "Give a local folder instead, or connect once so that it lands in the cache (the HF_HOME folder) "
    "and works offline from then on."
)


def from_hub(name: str, what: str, load: Callable[..., Any]) -> Any:
    """Call `load(local_files_only=…)`: a local folder or the cache first, then the hub.

    Args:
        name: hub id or local folder.
        what: what is loaded, for the error ("tokenizer", "encoder").
        load: takes `local_files_only` and may raise OSError or ValueError, as transformers does.

    Raises:
        ModelUnavailableError: it is nowhere to be had; names the two ways out.
    """
    _without_progress_bars()
    try:
        return load(local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        if Path(name).is_dir():
            raise ModelUnavailableError(
                f"The folder {name} holds no usable {what}: {_first_line(error)}",
                "Get its files again, or name another folder or a hub id in the recipe.",
            ) from error
        _log.info("%s of %s is not at hand, asking the hub", what, name)
    return _online(name, what, load)


def imagenet_repository(backbone: str) -> str:
    """The hub's repository with torchvision's ImageNet weights of a ResNet as safetensors, by torchvision's names."""
    return f"timm/{backbone}.tv_in1k"


def in_cache(repository: str, file: str = WEIGHTS) -> bool:
    """Whether a file of the hub is in the local cache; asks nobody."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repository, file), str)


def _online(name: str, what: str, load: Callable[..., Any]) -> Any:
    try:
        return load(local_files_only=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelUnavailableError(
            f"The {what} of {name!r} is neither a local folder, nor in the cache, nor could it be fetched: "
            f"{_first_line(error)}",
            _WAYS_OUT,
        ) from error


def _without_progress_bars() -> None:
    """The bars leave a thread behind, and warnings (a head that is left out, say) go where this process logs to."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.disable_default_handler()
    transformers_logging.enable_propagation()


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
