"""The console command: find the command, run it, and turn however it ends into an exit status and one sentence.

Nothing heavy is imported here; opening the desktop and the overview do not even import typer.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import engine
from engine.cli.registry import COMMANDS, Command, overview
from engine.errors import CancelledError, EngineError, InputError, did_you_mean

if TYPE_CHECKING:
    from typer.core import TyperCommand

DONE, OUR_MISTAKE, YOUR_MISTAKE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


def main() -> None:
    """Run the command on the process's command line and exit with its status."""
    arguments = sys.argv[1:]
    _write_any_character(as_json=_asks_for_json(arguments))
    sys.exit(run(arguments))


def _write_any_character(*, as_json: bool) -> None:
    """Let JSON be UTF-8 whatever the terminal's encoding, and text have escapes for what that does not know."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8" if as_json else None, errors="backslashreplace")


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status: 0 done, 1 our mistake, 2 the user's, 130 interrupted.

    This is the process's boundary: every exception ends here as one plain sentence on standard error, and with --json
    as one document on standard output, too, so that whoever reads that gets one whatever happens.
    """
    try:
        status = _dispatch(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the process boundary
        ending = _ending(error)
        _say(ending, as_json=_asks_for_json(arguments))
        return ending.status
    return status


class _Ending(NamedTuple):
    """How a command failed: what is wrong, what to do next ("" where nothing is), and the exit status."""

    error: str
    way_out: str
    status: int


def _ending(error: BaseException) -> _Ending:
    match error:
        case KeyboardInterrupt():
            return _Ending("Interrupted; what was finished before is kept.", "", INTERRUPTED)
        case EngineError():
            status = INTERRUPTED if isinstance(error, CancelledError) else YOUR_MISTAKE
            return _Ending(error.message, error.way_out, status)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            way_out = "Make room, then run the command again; nothing is lost."
            return _Ending("The disk is full.", way_out, YOUR_MISTAKE)
        case MemoryError():
            way_out = "Close other programs, then try again."
            return _Ending("There is not enough memory for this.", way_out, YOUR_MISTAKE)
    from engine.cli.log import record_bug

    return _Ending(*record_bug(error), OUR_MISTAKE)


def _asks_for_json(arguments: Sequence[str]) -> bool:
    return "--json" in itertools.takewhile(lambda one: one != "--", arguments)


def _dispatch(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "open"
    if first in {"--help", "-h", "help"}:
        print(overview())  # noqa: T201 - the overview is the answer
        return DONE
    if first in {"--version", "-V"}:
        print(f"secondlook {engine.__version__}")  # noqa: T201
        return DONE
    if first not in COMMANDS and first.endswith(".secondlook"):
        arguments.insert(0, "open")
        first = "open"
    if first == "open" and (opened := plain_open(arguments[1:])):
        return opened()
    if first not in COMMANDS:
        raise EngineError(
            f"There is no command '{first}'.", f"{did_you_mean(first, COMMANDS)} See 'secondlook --help'."
        )
    return _run_command(first, COMMANDS[first], arguments[1:])


def plain_open(arguments: Sequence[str]) -> Callable[[], int] | None:
    """Return what opens the desktop for the command lines that need no option parser, else None."""
    match arguments:
        case []:
            workspace, screenshot = None, None
        case [str(path)] if not path.startswith("-"):
            workspace, screenshot = Path(path), None
        case [str(path), "--screenshot", str(file)] if not path.startswith("-"):
            workspace, screenshot = Path(path), Path(file)
        case _:
            return None

    def opened() -> int:
        from desktop.app import main as open_window

        return open_window(workspace, screenshot)

    return opened


def command_of(name: str, entry: Command) -> TyperCommand:
    """Return what parses a command's options and writes its help."""
    import typer

    from engine.cli.usage import PlainCommand

    module = importlib.import_module(f"engine.cli.{entry.module}")
    examples = "\n".join(f"  {example}" for example in module.EXAMPLES)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=PlainCommand, epilog=f"\b\nExamples:\n{examples}")(getattr(module, entry.function))
    return cast("TyperCommand", typer.main.get_command(app))


def _run_command(name: str, entry: Command, arguments: list[str]) -> int:
    import typer

    from engine.cli.log import log_quietly
    from engine.cli.output import only_answers_on_stdout
    from engine.cli.usage import refusal_in_words

    command = command_of(name, entry)
    quiet = only_answers_on_stdout() if _asks_for_json(arguments) else contextlib.nullcontext()
    # Typer exports no base of its usage errors; it is the parent of the one that it does export.
    usage_error = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
    try:
        with log_quietly(), quiet:
            status = command.main(args=arguments, prog_name=f"secondlook {name}", standalone_mode=False)
    except usage_error as error:
        refused = refusal_in_words(error.format_message().rstrip("."))
        raise InputError(f"{refused}.", f"{_dashed_file(arguments)}See 'secondlook {name} --help'.") from error
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    if status == INTERRUPTED:  # typer has swallowed the interrupt
        raise KeyboardInterrupt
    return status if isinstance(status, int) else DONE


def _dashed_file(arguments: Sequence[str]) -> str:
    """Return what helps where a file's name was taken for an option."""
    for one in arguments:
        if one.startswith("-") and "=" not in one and (Path(one).suffix[1:].isalpha() or Path(one).is_file()):
            return f"A file whose name starts with a dash is given as './{one}'. "
    return ""


def _say(ending: _Ending, *, as_json: bool) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(_writable(f"secondlook: {ending.error} {ending.way_out}".rstrip()))
    try:
        if as_json:
            sys.stdout.write(_writable(json.dumps(ending._asdict(), ensure_ascii=False)))
        sys.stdout.flush()
    except OSError:
        _forget_stdout()


def _writable(line: str) -> str:
    """Return the line with what a file's name has that is no UTF-8 as escapes, which JSON knows, too."""
    return line.encode(errors="backslashreplace").decode() + "\n"


def _forget_stdout() -> None:
    """Point standard output at nothing, so that Python's last flush does not complain about what it cannot write."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
