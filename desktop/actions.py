"""Everything a key can do: one table, from which shortcuts, menus, tooltips, palette and cheat sheet come.

How a page uses it::

    actions.bind("review.skip", self.skip)              # what happens; an action without a binding stays disabled
    actions.set_enabled("review.undo", bool(last))      # while there is nothing to do
    actions.retitle("review.label-1", "Toxic")          # what the palette calls it; "" hides it there
    button.setToolTip(actions.tooltip("review.skip"))   # "Skip (S)"
    button.clicked.connect(actions.action("review.skip").trigger)

Only the actions of the current page and of the application ("app") are alive. Keys that are typed without Ctrl or Alt
rest while a text field has the focus, so a note can hold any character; those that move up and down rest while
a widget that needs them itself has it, such as a list or a slider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import cast

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

APP = "app"
PAGES = ("start", "review", "models", "capture", "settings")
LABEL_LETTERS = "qwrydfjkl"
"""Keys of the tenth and later labels of a task: letters that no other action of the review page uses."""
LABEL_KEYS = (*"123456789", *LABEL_LETTERS)
UP_AND_DOWN = ("Up", "Down", "PgUp", "PgDown")


@dataclass(frozen=True)
class ActionSpec:
    """One thing a person can do. `id` is PAGE.NAME; `page` "app" means every page.

    `keys` are Qt's portable names; the first is the one that is shown. `help` is one sentence. `repeats` says whether
    holding the key repeats it: never for a decision. `listed` is False where the cheat sheet shows it as part of
    another row; `caps` are the key caps of such a row where they are not simply the first key.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    page: str
    group: str
    help: str
    repeats: bool = False
    listed: bool = True
    caps: tuple[str, ...] = ()


def _label(key: str) -> ActionSpec:
    first = key == "1"
    return ActionSpec(
        id=f"review.label-{key}",
        title="Choose a label" if first else "",
        keys=(key.upper(),),
        page="review",
        group="Decide",
        help="Give the item this label, save it, and go to the next one.",
        listed=first,
        caps=("1", "…", "9") if first else (),
    )


ACTIONS: tuple[ActionSpec, ...] = (
    *(_label(key) for key in LABEL_KEYS),
    ActionSpec("review.confirm", "Confirm the verdict", ("Return", "Enter"), "review", "Decide",
               "Agree with the model, save it, and go to the next item; ends the choice of reasons."),
    ActionSpec("review.undo", "Undo", ("U", "Ctrl+Z"), "review", "Decide",
               "Take back your last decision and return to its item.", caps=("U", "or", "Ctrl", "Z")),
    ActionSpec("review.skip", "Skip", ("S",), "review", "Decide", "Leave the item for another time."),
    ActionSpec("review.escalate", "Escalate", ("E",), "review", "Decide", "Hand the item to somebody senior."),
    ActionSpec("review.back", "Back to the label", ("Esc",), "review", "Decide",
               "Leave the reasons and take back the label that opened them."),
    ActionSpec("review.note", "Write a note", ("N",), "review", "Decide",
               "Add a note to the decision you are about to make; Esc returns to the item."),
    ActionSpec("review.cross-out", "Cross out a wrong reason", ("Delete",), "review", "Decide",
               "Say that the framed word or region is the wrong reason, or take that back; saved with your decision."),
    ActionSpec("review.heatmap", "Heatmap", ("H",), "review", "Look", "Show or hide the heatmap over the screenshot."),
    ActionSpec("review.tokens", "Token highlights", ("T",), "review", "Look",
               "Show or hide the highlights in the text."),
    ActionSpec("review.explain-previous", "Explain the previous label", ("[",), "review", "Look",
               "Show why the model gives the previous label its probability.", repeats=True),
    ActionSpec("review.explain-next", "Explain the next label", ("]",), "review", "Look",
               "Show why the model gives the next label its probability.", repeats=True),
    ActionSpec("review.part-next", "Next strongest part", (".",), "review", "Look",
               "Frame the next word or region that the explanation rests on, the strongest first.", repeats=True),
    ActionSpec("review.part-previous", "Previous strongest part", (",",), "review", "Look",
               "Frame the word or region before.", repeats=True),
    ActionSpec("review.guideline", "Guideline", ("G",), "review", "Look", "Show or hide the label's guideline."),
    ActionSpec("review.blur", "Blur", ("B",), "review", "Look", "Blur the screenshot, or show it clearly."),
    ActionSpec("review.previous", "Previous item", ("Left",), "review", "Move", "Go to the item before.", repeats=True),
    ActionSpec("review.next", "Next item", ("Right",), "review", "Move", "Go to the item after.", repeats=True),
    ActionSpec("review.zoom-in", "Zoom in", ("+", "="), "review", "Move", "Enlarge the screenshot.", repeats=True),
    ActionSpec("review.zoom-out", "Zoom out", ("-",), "review", "Move", "Make the screenshot smaller.", repeats=True),
    ActionSpec("review.zoom-reset", "Zoom to fit", ("0",), "review", "Move", "Fit the screenshot into the view."),
    ActionSpec("review.zoom-width", "Zoom to the width", ("Ctrl+0",), "review", "Move",
               "Make screenshots as wide as the view, from their top on; fitted again with 0."),
    ActionSpec("review.pan-up", "Look further up", ("Up",), "review", "Move",
               "Move up in an enlarged screenshot.", repeats=True),
    ActionSpec("review.pan-down", "Look further down", ("Down",), "review", "Move",
               "Move down in an enlarged screenshot.", repeats=True),
    ActionSpec("review.pan-left", "Look further left", ("Shift+Left",), "review", "Move",
               "Move left in an enlarged screenshot.", repeats=True),
    ActionSpec("review.pan-right", "Look further right", ("Shift+Right",), "review", "Move",
               "Move right in an enlarged screenshot.", repeats=True),
    ActionSpec("review.view-up", "The view above", ("PgUp",), "review", "Move",
               "Move up by nearly a view in an enlarged screenshot.", repeats=True),
    ActionSpec("review.view-down", "The view below", ("PgDown",), "review", "Move",
               "Move down by nearly a view in an enlarged screenshot.", repeats=True),
    ActionSpec("review.text-up", "Scroll the text up", ("Shift+Up",), "review", "Move",
               "Show what stands above in a long text.", repeats=True),
    ActionSpec("review.text-down", "Scroll the text down", ("Shift+Down",), "review", "Move",
               "Show what stands below in a long text.", repeats=True),
    ActionSpec("review.find", "Find in the queue", ("Ctrl+F",), "review", "Move", "Search the queue."),
    ActionSpec("review.filter", "Filter the queue", ("/",), "review", "Move",
               "Choose a kind, a label of the model's or another order; Enter returns to the item."),
    ActionSpec("review.clear-filter", "Clear the filter", ("Backspace",), "review", "Move",
               "Show the whole queue in its own order again."),
    ActionSpec("app.refit", "Learn from my answers now", ("Ctrl+L",), APP, "Model",
               "Fit the model's answers anew to the decisions so far; the verdicts follow in seconds."),
    ActionSpec("app.retrain", "Retrain", ("Ctrl+R",), APP, "Model",
               "Train a new model on the decisions so far, in the background."),
    ActionSpec("app.cancel-retrain", "Cancel the training run", (), APP, "Model", "Stop the training that is running."),
    ActionSpec("app.pick", "Pick items to teach the model", (), APP, "Model",
               "Pick the open items that the model is most in doubt about, and a few at random, in place of the last."),
    ActionSpec("app.score", "Score new items", (), APP, "Model", "Ask the model for every verdict that is missing."),
    ActionSpec("models.promote", "Promote the selected model", (), "models", "Model",
               "Make the selected model the one that gives verdicts."),
    ActionSpec("models.rollback", "Roll back to the model before", (), "models", "Model",
               "Return to the model that gave verdicts before this one."),
    ActionSpec("models.mask", "Retrain with the shortcut masked", ("Ctrl+M",), "models", "Model",
               "Train a new model that cannot see the part of the page that the selected one relies on too much."),
    ActionSpec("capture.start", "Start the capture", ("Ctrl+Return", "Ctrl+Enter"), "capture", "Capture",
               "Capture the pages of these addresses and bring them in as items.", caps=("Ctrl", "Enter")),
    ActionSpec("capture.choose", "Choose a file of addresses", ("Ctrl+Shift+O",), "capture", "Capture",
               "Take the addresses of a text, CSV or JSON lines file."),
    ActionSpec("capture.scripts", "Capture without scripts", ("Ctrl+J",), "capture", "Capture",
               "For hostile pages: run none of their scripts; or run them again."),
    ActionSpec("capture.pause", "Pause the capture", ("P",), "capture", "Capture",
               "Finish the pages that are open and wait; or go on."),
    ActionSpec("capture.stop", "Stop the capture", ("Ctrl+.",), "capture", "Capture",
               "Stop the browser; what was captured is kept, the rest can go on later."),
    ActionSpec("capture.retry", "Try the page again", ("R",), "capture", "Capture",
               "Give the chosen pages that failed a new set of tries."),
    ActionSpec("capture.retry-all", "Try all failed pages again", ("Shift+R",), "capture", "Capture",
               "Give every page that failed a new set of tries."),
    ActionSpec("capture.failures", "Show only failures", ("F",), "capture", "Capture",
               "Show the pages that failed alone, or all of them."),
    ActionSpec("capture.open", "Open the item in review", ("Return", "Enter"), "capture", "Capture",
               "See its item in review, or why it failed."),
    ActionSpec("capture.copy", "Copy the address", ("Ctrl+C",), "capture", "Capture",
               "Put the addresses of the chosen pages into the clipboard."),
    ActionSpec("capture.new", "Make a new list", ("N",), "capture", "Capture",
               "Put this list away to capture another one; items that were captured stay."),
    ActionSpec("app.start", "Workspaces", ("Ctrl+1",), APP, "Go to", "Open another workspace or make a new one."),
    ActionSpec("app.review", "Review", ("Ctrl+2",), APP, "Go to", "Go to the review desk."),
    ActionSpec("app.flips", "Verdicts that changed", ("Ctrl+Shift+V",), APP, "Go to",
               "Open the queue of items whose verdict a newer model changed, contradictions of a decision first."),
    ActionSpec("app.teach", "Items to teach the model", ("Ctrl+Shift+T",), APP, "Go to",
               "Open the queue of items that were picked for what the model would learn from them."),
    ActionSpec("app.models", "Models", ("Ctrl+3",), APP, "Go to", "See runs and models."),
    ActionSpec("app.capture", "Capture", ("Ctrl+4",), APP, "Go to", "Capture web pages as items."),
    ActionSpec("app.settings", "Settings", ("Ctrl+,",), APP, "Go to", "Theme, name, and how the desk behaves."),
    ActionSpec("app.palette", "Find an action", ("Ctrl+K",), APP, "Go to", "Search everything that can be done."),
    ActionSpec("app.cheat-sheet", "Keys", ("?",), APP, "Go to", "Show every key."),
    ActionSpec("app.open", "Open a workspace", ("Ctrl+O",), APP, "Workspace", "Choose a workspace folder."),
    ActionSpec("app.new", "New workspace", ("Ctrl+N",), APP, "Workspace", "Make an empty workspace."),
    ActionSpec("app.demo", "Make the demo", (), APP, "Workspace",
               "Make a workspace of invented captures with a trained model, or open it where it was made before."),
    ActionSpec("app.import", "Import items", ("Ctrl+I",), APP, "Workspace",
               "Read captures and answers of many tools into this workspace, or merge a review pack."),
    ActionSpec("app.export", "Export decisions…", ("Ctrl+E",), APP, "Workspace",
               "Write every item with its labels and decisions, in the form of one of many tools."),
    ActionSpec("app.pack", "Make a review pack…", ("Ctrl+Shift+E",), APP, "Workspace",
               "Pack items with screenshots and verdicts for a reviewer who is offline."),
    ActionSpec("app.cancel-import", "Cancel the import", (), APP, "Workspace",
               "Stop the import; a large file goes on where it stood when it is imported again."),
    ActionSpec("app.close", "Close the workspace", ("Ctrl+W",), APP, "Workspace", "Return to the list of workspaces."),
    ActionSpec("app.log", "Open the log", (), APP, "Workspace", "Open the folder of the log files."),
    ActionSpec("app.theme", "Switch between light and dark", ("Ctrl+Shift+L",), APP, "Window",
               "Use the other theme."),
    ActionSpec("app.notice", "Go to the notice", ("F6",), APP, "Window",
               "Put the keyboard on the notice at the lower edge; Esc puts it away."),
    ActionSpec("app.full-screen", "Full screen", ("F11",), APP, "Window", "Fill the screen, or return to a window."),
    ActionSpec("app.quit", "Quit", ("Ctrl+Q",), APP, "Window", "Close the window; decisions are saved."),
)  # fmt: skip


def key_caps(spec: ActionSpec) -> tuple[str, ...]:
    """Return the key caps of an action's row in the cheat sheet: ("Ctrl", "K"); empty where it has no key."""
    return spec.caps or (caps_of(spec.keys[0]) if spec.keys else ())


def caps_of(key: str) -> tuple[str, ...]:
    """Return the words on the key caps of a portable key name: "Ctrl+K" gives ("Ctrl", "K"), "Left" gives ("←",)."""
    signs = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "Return": "Enter", "-": "−"}
    parts = [key] if len(key) == 1 else key.split("+")
    return tuple(signs.get(part, part) for part in parts)


def is_typed(key: str) -> bool:
    """Tell whether a key would write or edit in a text field: what has no Ctrl, Alt or F6 in it, and Ctrl+Z."""
    works_anywhere = key.startswith(("Ctrl+", "Alt+", "Meta+")) or (key[:1] == "F" and key[1:].isdigit())
    return key == "Ctrl+Z" or not works_anywhere


def takes_text(widget: QWidget | None) -> bool:
    """Tell whether a widget is a place to type into right now."""
    if isinstance(widget, QLineEdit | QPlainTextEdit | QTextEdit):
        return not widget.isReadOnly()
    return isinstance(widget, QAbstractSpinBox) or (isinstance(widget, QComboBox) and widget.isEditable())


def takes_arrows(widget: QWidget | None) -> bool:
    """Tell whether a widget moves or scrolls by the keys up and down."""
    return isinstance(widget, QAbstractScrollArea | QAbstractSlider | QComboBox)


class ActionRegistry(QObject):
    """The table come alive for one window: a QAction per row, enabled where it means something.

    `changed` says that a title or an enabled state is different now.
    """

    changed = Signal()

    def __init__(self, window: QWidget, specs: Iterable[ActionSpec] = ACTIONS) -> None:
        super().__init__(window)
        self.specs = {spec.id: spec for spec in specs}
        self._actions = {spec.id: self._make(spec, window) for spec in self.specs.values()}
        self._bound: dict[str, Callable[[], object]] = {}
        self._off: set[str] = set()
        self._page = ""
        self._covered = False
        self._resting: tuple[bool, bool] = (False, False)
        cast("QApplication", QApplication.instance()).focusChanged.connect(self._focus_moved)

    @property
    def page(self) -> str:
        """The page whose actions are alive."""
        return self._page

    def action(self, name: str) -> QAction:
        """Return the QAction of this id; raises KeyError for an id that is not in the table."""
        return self._actions[name]

    def bind(self, name: str, run: Callable[[], object]) -> None:
        """Say what an action does; a second binding replaces the first. Raises KeyError for an unknown id."""
        self._actions[name].setObjectName(name)
        self._bound[name] = run
        self._refresh((name,))

    def unbind(self, name: str) -> None:
        """Forget what an action does; it is disabled until it is bound again."""
        self._bound.pop(name, None)
        self._refresh((name,))

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Say whether an action means something now, on its own page."""
        if enabled == (name in self._off):
            (self._off.discard if enabled else self._off.add)(name)
            self._refresh((name,))

    def retitle(self, name: str, title: str) -> None:
        """Call an action something else, such as a label's title; "" hides it from the palette."""
        if self._actions[name].text() != title:
            self._actions[name].setText(title)
            self.changed.emit()

    def title(self, name: str) -> str:
        """Return what an action is called now."""
        return self._actions[name].text()

    def tooltip(self, name: str) -> str:
        """Return "Title (Key)"; without the parentheses where there is no key."""
        keys = self.specs[name].keys
        return f"{self.title(name)} ({' '.join(caps_of(keys[0]))})" if keys else self.title(name)

    def trigger(self, name: str) -> None:
        """Do it, if it means something now."""
        self._actions[name].trigger()

    def set_page(self, page: str) -> None:
        """Make this page's actions the living ones."""
        self._page = page
        self._refresh(self.specs)

    def set_covered(self, covered: bool) -> None:
        """Rest the page's own actions while an overlay lies over it."""
        if covered != self._covered:
            self._covered = covered
            self._refresh(self.specs)

    def possible(self) -> list[ActionSpec]:
        """Return what can be done now on this page, in the table's order, whether covered by an overlay or not."""
        return [spec for spec in self.specs.values() if self.title(spec.id) and self._means_something(spec)]

    def menu(self, parent: QWidget, groups: Iterable[str]) -> QMenu:
        """Return a menu of the application's actions of these groups, with a line between groups."""
        menu = QMenu(parent)
        for group in groups:
            if not menu.isEmpty():
                menu.addSeparator()
            for spec in self.specs.values():
                if spec.group == group and spec.page == APP:
                    menu.addAction(self._actions[spec.id])
        return menu

    def _make(self, spec: ActionSpec, window: QWidget) -> QAction:
        action = QAction(spec.title, window)
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setAutoRepeat(spec.repeats)
        action.setStatusTip(spec.help)
        action.setEnabled(False)
        action.triggered.connect(partial(self._run, spec.id))
        window.addAction(action)
        return action

    def _run(self, name: str, *_: object) -> None:
        self._bound[name]()

    def _means_something(self, spec: ActionSpec) -> bool:
        return spec.id in self._bound and spec.id not in self._off and spec.page in (APP, self._page)

    def _refresh(self, names: Iterable[str]) -> None:
        different = False
        for name in names:
            spec, action = self.specs[name], self._actions[name]
            alive = self._means_something(spec) and not (self._covered and spec.page != APP)
            if alive != action.isEnabled():
                action.setEnabled(alive)
                different = True
        if different:
            self.changed.emit()

    def _focus_moved(self, _old: QWidget | None, new: QWidget | None) -> None:
        resting = takes_text(new), takes_arrows(new)
        if resting != self._resting:
            self._resting = resting
            for spec in self.specs.values():
                keys = [key for key in spec.keys if not self._rests(key)]
                self._actions[spec.id].setShortcuts([QKeySequence(key) for key in keys])

    def _rests(self, key: str) -> bool:
        typing, moving = self._resting
        return (typing and is_typed(key)) or (moving and key in UP_AND_DOWN)
