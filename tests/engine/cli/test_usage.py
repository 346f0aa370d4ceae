"""What the helps of all commands have in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli.explain import LEAST_SAMPLES, MOST_SAMPLES
from engine.cli.main import command_of
from engine.cli.registry import COMMANDS
from engine.cli.usage import refusal_in_words
from engine.errors import InputError
from engine.training.pretraining.settings import PretrainingSettings

DETAILS = re.compile(r"\[(default: [^\[\]()]+|required|\d+ (to \d+|or more))\]")
ANOTHER_STYLE = re.compile(
    r"by default|the default|defaults? to|left out|omitted|; else |[\[(][\d.]+[\])]|default: \d+\.0\b"
)
SIZE = ("vocabulary", "layers", "width", "heads", "max_tokens")
PACE = ("epochs", "batch_size", "learning_rate", "mask", "seed")
Runner = Callable[..., Any]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_defaults_are_written_in_one_way(secondlook: Runner, name: str) -> None:
    shown = secondlook(name, "--help").out.split("\n  Examples:\n")[0]
    about = " ".join(re.split(r"\n(?:Arguments|Options):\n", shown, maxsplit=1)[1].split())
    assert not ANOTHER_STYLE.findall(about)
    assert not re.findall(r"\[(?![A-Z]+\])[^\]]*\]?", DETAILS.sub("", about))
    params: list[Any] = [param for param in command_of(name, COMMANDS[name]).params if param.name != "help"]
    with_value = [one for one in params if one.default not in (None, "") and not isinstance(one.default, bool)]
    in_words = [one for one in params if one not in with_value and isinstance(one.show_default, str)]
    assert about.count("[default: ") == len(with_value) + len(in_words)


def test_defaults_that_the_help_has_in_words_are_the_real_ones() -> None:
    real = PretrainingSettings()
    params: dict[Any, Any] = {param.name: param for param in command_of("pretrain", COMMANDS["pretrain"]).params}
    told = {name: params[name].show_default.split(";")[0] for name in (*SIZE, *PACE)}
    assert told == {name: f"{getattr(real, name)}" for name in told}


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--seed", "-1"), "'--seed': it must be 0 or more."),
        (("--samples", "15"), "'lime' needs at least 16 samples and takes 5,000 at most, not 15."),
        (("--samples", "5001"), "'lime' needs at least 16 samples and takes 5,000 at most, not 5,001."),
        (("--samples", "10001", "--method", "gradient"), "takes 10,000 at most, not 10,001."),
        (("--samples", "2", "--method", "ig"), "'ig' needs at least 3 samples"),
        (("--samples", "0", "--method", "gradient"), "'gradient' needs at least 1 sample and"),
        (("--samples", "1000000000", "--method", "ig"), "1,000 at most, not 1,000,000,000."),
        (("--seed", "x"), "'--seed': it must be a whole number."),
        (("--seed", "5000000000"), "'--seed': it must be 4294967295 or less."),
    ],
)
def test_a_value_out_of_range_is_refused_in_plain_words(
    secondlook: Runner, option: tuple[str, str], words: str
) -> None:
    ended = secondlook("explain", "any.secondlook", "item", *option)
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err
    assert "secondlook: " in ended.err
    assert re.search(r"See 'secondlook explain --help'\.|leave --samples out\.", ended.err)


def test_the_fewest_samples_of_the_help_are_those_of_the_methods() -> None:
    from engine.explain.lime import FEWEST
    from engine.explain.methods import METHODS, check
    from engine.explain.methods.integrated import LEAST

    assert {"lime": FEWEST, "ig": LEAST, "gradient": 1} == LEAST_SAMPLES
    assert LEAST_SAMPLES.keys() == MOST_SAMPLES.keys()
    for method in METHODS.keys() - LEAST_SAMPLES.keys():
        with pytest.raises(InputError, match="takes no samples"):
            check(method, 100)


def test_a_file_that_may_not_be_read_is_said_plainly() -> None:
    said = refusal_in_words("Invalid value for 'PATH…': path '../in.jsonl' is not readable.")
    assert said == "You have no permission to read '../in.jsonl'"


def test_a_model_that_is_not_there_has_a_way_out_even_where_there_is_none(secondlook: Runner, made: Path) -> None:
    ended = secondlook("models", made, "promote", "x", "--json")
    assert ended.json["way_out"] == "Train one with: secondlook retrain."


def test_a_command_that_is_told_can_be_pasted(secondlook: Runner, tmp_path: Path) -> None:
    path = tmp_path / "my spring.secondlook"
    ended = secondlook("score", path)
    assert ended.err.endswith(f"Make one with: secondlook init '{path}'\n")
    assert secondlook("init", path, "--preset", "tweets").out.endswith(f"\nNext: secondlook import '{path}' FILE\n")
    assert secondlook("score", path).err.endswith(f"Train one with: secondlook retrain '{path}'\n")
