"""How a command's help reads: `WORKSPACE`, `[WORKSPACE]` and `PATH…`, without braces, Python types and formulas.

What happens where an option is left out stands behind what it is for, always as `[default: …]`: a value, or (the
option's `show_default`) a few words.
"""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperOption

_REFUSED = (
    (re.compile(r"Input should be a valid integer.*"), "it must be a whole number"),
    (re.compile(r"Input should be a valid number.*"), "it must be a number"),
    (re.compile(r"Input should be greater than or equal to (\S+?)\.?$"), r"it must be \1 or more"),
    (re.compile(r"Invalid value for .*: path (.*) is not readable\.?$"), r"You have no permission to read \1"),
    (re.compile(r"Input should be less than or equal to (\S+?)\.?$"), r"it must be \1 or less"),
)
"""What the option parser says of a value, and how a person would say it."""
_RANGE = re.compile(r"(?:(?P<low>\d+)<=)?x(?P<to><=|>=)(?P<end>\d+)")
_DEFAULT_IN_WORDS, _WHOLE = re.compile(r"\[default: \(([^()]*)\)"), re.compile(r"(\[default: \d+)\.0(?!\d)")


class PlainCommand(TyperCommand):
    """A command whose help is written in plain words; it parses like any other.

    Typer does not export the types of a context and of a formatter.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what follows the command's name: the options, then each argument."""
        arguments = [param for param in self.get_params(ctx) if isinstance(param, TyperArgument)]
        return ["[OPTIONS]", *(argument.display_name_raw for argument in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what each argument and each option is for."""
        for title, kind in (("Arguments", TyperArgument), ("Options", TyperOption)):
            params = [param for param in self.get_params(ctx) if isinstance(param, kind)]
            records = [_in_words(param, *record) for param in params if (record := param.get_help_record(ctx))]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def refusal_in_words(message: str) -> str:
    """Return what the option parser says of a wrong value in plain words."""
    for pattern, words in _REFUSED:
        message = pattern.sub(words, message)
    return message


def _in_words(param: TyperArgument | TyperOption, name: str, text: str) -> tuple[str, str]:
    shown = param.display_name_raw if isinstance(param, TyperArgument) else name
    plain = _WHOLE.sub(r"\1", _DEFAULT_IN_WORDS.sub(r"[default: \1", text))
    return shown, _RANGE.sub(_range_in_words, plain)


def _range_in_words(found: re.Match[str]) -> str:
    if found["low"]:
        return f"{found['low']} to {found['end']}"
    return f"{found['end']} or {'more' if found['to'] == '>=' else 'less'}"
