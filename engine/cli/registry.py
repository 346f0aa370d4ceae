"""Which commands there are. Their modules are imported only when they run, so that the overview appears at once."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command is the function `function` of `engine.cli.MODULE`; the rest is for the overview."""

    module: str
    function: str
    arguments: str
    summary: str


COMMANDS = {
    "open": Command("opening", "open_desk", "[WORKSPACE]", "open the desktop"),
    "demo": Command("demo", "demo", "[WORKSPACE]", "make the demo workspace, train and score it"),
    "init": Command("init", "init", "WORKSPACE", "make an empty workspace"),
    "import": Command("importing", "import_items", "WORKSPACE PATH…", "import captured items"),
    "capture": Command("capture", "capture", "WORKSPACE [FILE]", "capture pages with a browser"),
    "score": Command("score", "score", "WORKSPACE", "give a verdict to every item that lacks one"),
    "retrain": Command("retrain", "retrain", "WORKSPACE", "train a new model on what reviewers said"),
    "pretrain": Command("pretrain", "pretrain", "WORKSPACE|FILE", "train a text encoder on unlabelled texts"),
    "refit": Command("refit", "refit", "WORKSPACE", "fit the model's heads anew to what reviewers said"),
    "evaluate": Command("evaluate", "evaluate", "WORKSPACE", "measure a model on labelled items"),
    "experiment": Command("experiment", "experiment", "RECIPES…", "measure recipes beside their peers"),
    "splits": Command("splits", "splits", "WORKSPACE", "show what trains, what is held out, and what would leak"),
    "explain": Command("explain", "explain", "WORKSPACE ITEM", "show why a model gives its verdict"),
    "explain-eval": Command("explain_eval", "explain_eval", "WORKSPACE", "measure how faithful explanations are"),
    "looks": Command("looks", "looks", "WORKSPACE", "show where a model looks, and warn of a shortcut"),
    "decide": Command("decide", "decide", "WORKSPACE ITEM", "record, skip, escalate or undo a decision"),
    "select": Command("select", "select", "WORKSPACE", "pick the items to label next"),
    "items": Command("items", "items", "WORKSPACE", "list the items of a queue"),
    "models": Command("models", "models", "WORKSPACE [ACTION]", "list models, promote one, roll back, rebuild one"),
    "backbones": Command("backbones", "backbones", "", "list what a recipe can read text and screenshots with"),
    "export": Command("export", "export", "WORKSPACE FILE", "write items, decisions and labels to a file"),
    "pack": Command("packing", "pack", "WORKSPACE FILE", "pack items for a reviewer who is offline"),
    "upgrade": Command("upgrade", "upgrade", "WORKSPACE", "bring an older version's workspace up to date"),
    "doctor": Command("doctor", "doctor", "[WORKSPACE]", "check the installation and a workspace"),
}


def overview() -> str:
    """Return what `secondlook --help` prints."""
    rows = [(f"{name} {command.arguments}", command.summary) for name, command in COMMANDS.items()]
    width = max(len(usage) for usage, _ in rows)
    lines = [f"  {usage:<{width}}  {summary}" for usage, summary in rows]
    return "\n".join(
        [
            "Second Look: a review desk for captured tweets and product pages.",
            "",
            "Usage: secondlook [COMMAND] [OPTIONS]",
            "",
            "Without a command the desktop opens on the last workspace.",
            "",
            *lines,
            "",
            "'secondlook COMMAND --help' shows a command's options and examples.",
            'Every command takes --json: one JSON document on standard output, also where it fails (with "error",',
            '"way_out" and "status").',
            "Exit status: 0 done, 1 our mistake (see the log), 2 yours (the message says what to do).",
        ]
    )
