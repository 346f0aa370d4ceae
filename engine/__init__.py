"""Everything without a window: the workspace, the models, the learning loop and the command line.

Nothing in here imports `desktop` (the command line's `open` is the one place that starts it), and the
light rooms named in `pyproject.toml` import no torch.
"""

import os

# OpenMP's threads spin for each other by default. On a machine that also runs the desk and the trainer that made an
# explanation take ten times as long; libgomp reads this when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
