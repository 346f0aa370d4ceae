"""What a model runs on, in words."""

from __future__ import annotations

import torch


def name_of(device: torch.device) -> str:
    """Return a device as people say it: "CPU, 1 thread", "CPU, 2 threads" or "CUDA" with the card's name."""
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}"


def best() -> torch.device:
    """Return the device that a model is loaded to where nobody asks for another."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
