"""The desktop's child processes: `python -m engine serve WORKSPACE`, `train RUN_FOLDER` and `capture JOB_FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

USAGE = "usage: python -m engine serve WORKSPACE | train RUN_FOLDER [--models FOLDER] [--nice N] | capture JOB_FOLDER"


def main(arguments: Sequence[str]) -> int:
    """Run the process that the first argument names and return its exit status."""
    match arguments:
        case ["serve", *rest]:
            from engine.service.server import main as serve

            return serve(rest)
        case ["train", *rest]:
            from engine.training.worker import main as train

            return train(rest)
        case ["capture", *rest]:
            from engine.cli.capture_child import main as capture

            return capture(rest)
    sys.stderr.write(USAGE + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
