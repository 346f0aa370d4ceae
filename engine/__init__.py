"""Everything without a window: the workspace, the models, the learning loop and the command line.

Nothing in here imports `desktop` (the command line's `open` is the one place that starts it), and the
light rooms named in `pyproject.toml` import no torch.
"""

__version__ = "0.1.0"
