from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from engine.cli.common import JsonOption, answer
from engine.cli.registry import COMMANDS
from engine.errors import CancelledError, InputError
from engine.triage import queues, where
from engine.workspace.facets import STATES
from engine.workspace.queues import ORDERS

Register = Callable[[Callable[..., Any]], None]
BUILT_LATER: set[str] = set()


def test_the_overview_names_every_command(secondlook: Any) -> None:
    ended = secondlook("--help")
    assert ended.status == 0
    assert all(f"  {name} " in ended.out for name in COMMANDS)


def test_the_version(secondlook: Any) -> None:
    assert secondlook("--version").out.startswith("secondlook ")


def test_an_unknown_command_gets_one_sentence_and_the_nearest(secondlook: Any) -> None:
    ended = secondlook("improt")
    assert ended.status == 2
    assert "Did you mean 'import'?" in ended.err
    assert ended.out == ""
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - BUILT_LATER))
def test_every_command_has_help_with_examples(secondlook: Any, name: str) -> None:
    ended = secondlook(name, "--help")
    assert ended.status == 0
    assert f"Usage: secondlook {name}" in ended.out
    assert "--json" in ended.out
    examples = ended.out.split("Examples:\n")[1].strip().splitlines()
    assert examples
    assert all(line.strip().startswith(("secondlook", "#")) for line in examples)
    assert not re.search(r"\[\[[A-Z]|[{][A-Z]|<(path|str|int|list)|x[<>]=|…\.\.\.", ended.out.split("Examples:")[0])


def test_help_writes_arguments_and_ranges_in_words(secondlook: Any) -> None:
    assert "Usage: secondlook open [OPTIONS] [WORKSPACE]\n" in secondlook("open", "--help").out
    assert "Usage: secondlook import [OPTIONS] WORKSPACE PATH…\n" in secondlook("import", "--help").out
    assert "[default: 100; 1 or more]" in secondlook("items", "--help").out
    assert "[default: 0; 0 to 4294967295]" in secondlook("explain", "--help").out


def test_the_help_of_items_lists_every_field_and_value_of_where(secondlook: Any) -> None:
    text = secondlook("items", "--help").out
    listed = re.findall(r"^    ([a-z]+)  +\S", text.split("Fields:\n")[1].split("\nArguments:")[0], re.MULTILINE)
    assert sorted(listed) == sorted([*where._FIELDS, "probability"])
    assert all(re.search(rf"\b{value}\b", text) for value in (*STATES, *ORDERS, "train", "val", "test", "none"))
    assert "<, <=, > and >=" in " ".join(text.split())
    assert all(queue.name in text for queue in queues())
    assert text.count("--where ") >= 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["init"], "Missing argument 'WORKSPACE'."),
        (["init", "x", "--pre", "tweets"], "No such option: --pre"),
        (["init", "x", "--preset"], "requires an argument"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(secondlook: Any, arguments: list[str], words: str) -> None:
    ended = secondlook(*arguments)
    assert ended.status == 2
    assert words in ended.err
    assert "See 'secondlook init --help'." in ended.err
    assert len(ended.err.strip().splitlines()) <= 2


def test_an_engine_error_is_the_users(secondlook: Any, command: Register) -> None:
    def probe() -> None:
        raise InputError("No such thing.", "Try another.")

    command(probe)
    ended = secondlook("probe")
    assert (ended.status, ended.err, ended.out) == (2, "secondlook: No such thing. Try another.\n", "")


def test_a_bug_is_ours_and_its_traceback_is_in_the_log(secondlook: Any, command: Register, log_folder: Path) -> None:
    def probe() -> None:
        raise ZeroDivisionError("oops")

    command(probe)
    ended = secondlook("probe")
    assert ended.status == 1
    assert "our mistake" in ended.err
    assert "Traceback" not in ended.err
    (log,) = log_folder.rglob("*.log")
    assert str(log) in ended.err
    assert "Traceback" in log.read_text()


def test_a_bug_without_a_place_for_the_log_shows_the_traceback(
    secondlook: Any, command: Register, log_folder: Path
) -> None:
    def probe() -> None:
        raise ZeroDivisionError("oops")

    log_folder.write_text("a file where the folder should be")
    command(probe)
    ended = secondlook("probe")
    assert ended.status == 1
    assert "Traceback" in ended.err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), 130),
        (CancelledError(), 130),
        (typer.Abort(), 130),
        (BrokenPipeError(), 141),
        (OSError(errno.ENOSPC, "No space left on device"), 2),
        (MemoryError(), 2),
        (typer.Exit(3), 3),
    ],
)
def test_other_endings(secondlook: Any, command: Register, error: BaseException, status: int) -> None:
    def probe() -> None:
        raise error

    command(probe)
    assert secondlook("probe").status == status


def test_an_interrupt_is_one_sentence(secondlook: Any, command: Register) -> None:
    def probe() -> None:
        raise KeyboardInterrupt

    command(probe)
    assert secondlook("probe").err == "secondlook: Interrupted; what was finished before is kept.\n"


def test_json_is_the_only_thing_on_standard_output(secondlook: Any, command: Register) -> None:
    def probe(as_json: JsonOption = False) -> int:
        print("a library speaks")  # noqa: T201
        answer({"n": float("nan"), "s": "α"}, "for people", as_json=as_json)
        return 2

    command(probe)
    ended = secondlook("probe", "--json")
    assert ended.status == 2
    assert ended.out == '{"n":null,"s":"α"}\n'
    assert "a library speaks" in ended.err
    assert secondlook("probe").out == "a library speaks\nfor people\n"


def test_an_error_is_one_json_document_where_json_is_asked_for(secondlook: Any, command: Register) -> None:
    def probe(as_json: JsonOption = False) -> None:
        raise InputError(f"There is no 'Ω' ({as_json}).", "Try another.")

    command(probe)
    ended = secondlook("probe", "--json")
    assert ended.json == {"error": "There is no 'Ω' (True).", "way_out": "Try another.", "status": 2}
    assert (ended.status, ended.err) == (2, "secondlook: There is no 'Ω' (True). Try another.\n")
    assert secondlook("probe").out == ""
    assert secondlook("improt", "--", "--json").out == ""


def test_an_error_that_names_a_file_of_no_encoding_is_json(secondlook: Any) -> None:
    ended = secondlook("score", "\udcff.secondlook", "--json")
    assert "\udcff.secondlook" in json.loads(ended.out)["error"]
    assert ended.out.encode()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["improt", "w"], "There is no command 'improt'."), (["init"], "Missing argument 'WORKSPACE'.")],
)
def test_a_wrong_command_line_is_a_json_document_too(secondlook: Any, arguments: list[str], words: str) -> None:
    ended = secondlook(*arguments, "--json")
    assert (ended.json["error"], ended.json["status"]) == (words, 2)
    assert "--help'" in ended.json["way_out"]


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), 130), (MemoryError(), 2), (KeyError("k"), 1)])
def test_other_endings_are_json_documents_too(
    secondlook: Any, command: Register, error: BaseException, status: int
) -> None:
    def probe(as_json: JsonOption = False) -> None:
        assert as_json
        raise error

    command(probe)
    ended = secondlook("probe", "--json")
    assert (ended.status, ended.json["status"]) == (status, status)
    assert ended.err == f"secondlook: {ended.json['error']} {ended.json['way_out']}".rstrip() + "\n"


def test_warnings_of_libraries_go_to_the_log(secondlook: Any, command: Register, log_folder: Path) -> None:
    def probe() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(capture=True)
            warnings.warn("pixels", UserWarning, stacklevel=1)
        logging.getLogger("a library").warning("careful")

    command(probe)
    ended = secondlook("probe")
    assert ended.err == ""
    (log,) = log_folder.rglob("*.log")
    assert "careful" in log.read_text()


def test_every_module_of_the_registry_exposes_its_function() -> None:
    for name in set(COMMANDS) - BUILT_LATER:
        module = importlib.import_module(f"engine.cli.{COMMANDS[name].module}")
        assert callable(getattr(module, COMMANDS[name].function))


def test_starting_imports_nothing_slow() -> None:
    code = (
        "import sys; from engine.cli.main import run; run(['--help']);"
        "print(sorted({'typer', 'rich', 'torch', 'PIL', 'sqlite_utils', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_few_characters_gets_escapes_and_json_stays_utf_8(encoding: str) -> None:
    program = [sys.executable, "-m", "engine.cli.main"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([*program, "--help"], capture_output=True, env=environment, check=True)
    assert b"import WORKSPACE PATH\\u2026" in done.stdout
    done = subprocess.run([*program, "Ω🙂", "--json"], capture_output=True, env=environment, check=False)
    document = json.loads(done.stdout.decode())
    assert (document["error"], document["status"]) == ("There is no command 'Ω🙂'.", 2)


def test_a_closed_pipe_is_quiet() -> None:
    code = (
        "import sys; from engine.cli import main, output\n"
        "main.overview = lambda: 'x' * 1_000_000\n"
        "sys.exit(main.run(['--help']))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 141
