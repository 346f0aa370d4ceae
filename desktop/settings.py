"""What a person chose, kept between runs: typed access to QSettings."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

ORGANISATION, APPLICATION = "secondlook", "secondlook"
RECENT_LIMIT = 12
_NOBODY = "reviewer"
RETRAIN_AFTER = "training/retrain_after"
"""The session of a workspace reads this one by itself."""


class Settings(QObject):
    """The settings in use. `changed` carries the name of the property that is different now."""

    changed = Signal(str)

    def __init__(self, store: QSettings | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store if store is not None else QSettings(ORGANISATION, APPLICATION)

    @property
    def store(self) -> QSettings:
        """Where it is all kept, for rooms with settings of their own."""
        return self._store

    @property
    def theme(self) -> str:
        """One of "system", "light", "dark"."""
        return self._text("theme", "system")

    @theme.setter
    def theme(self, value: str) -> None:
        self._set("theme", value)

    @property
    def reviewer(self) -> str:
        """The name that decisions are recorded under; the login name until it is set."""
        return self._text("reviewer", "").strip() or _login()

    @reviewer.setter
    def reviewer(self, value: str) -> None:
        self._set("reviewer", value.strip())

    @property
    def retrain_after(self) -> int:
        """Corrections after which a retrain starts by itself; 0 means never."""
        return self._number(RETRAIN_AFTER, 20, 0, 10_000)

    @retrain_after.setter
    def retrain_after(self, value: int) -> None:
        self._set(RETRAIN_AFTER, value)

    @property
    def refit_after(self) -> int:
        """Corrections after which the model's heads are fitted anew by themselves, in a second; 0 means never."""
        return self._number("training/refit_after", 10, 0, 10_000)

    @refit_after.setter
    def refit_after(self, value: int) -> None:
        self._set("training/refit_after", value)

    @property
    def blur(self) -> bool:
        """Whether captures start blurred."""
        return self._flag("blur", default=False)

    @blur.setter
    def blur(self, value: bool) -> None:
        self._set("blur", value)

    @property
    def grey(self) -> bool:
        """Whether captures are shown without colour, which is easier to bear."""
        return self._flag("grey", default=False)

    @grey.setter
    def grey(self, value: bool) -> None:
        self._set("grey", value)

    @property
    def heatmap(self) -> bool:
        """Whether the heatmap is shown when an item appears."""
        return self._flag("heatmap", default=True)

    @heatmap.setter
    def heatmap(self, value: bool) -> None:
        self._set("heatmap", value)

    @property
    def tokens(self) -> bool:
        """Whether token highlights are shown when an item appears."""
        return self._flag("tokens", default=True)

    @tokens.setter
    def tokens(self, value: bool) -> None:
        self._set("tokens", value)

    @property
    def heatmap_opacity(self) -> int:
        """Opacity of the heatmap in percent."""
        return self._number("heatmap_opacity", 60, 0, 100)

    @heatmap_opacity.setter
    def heatmap_opacity(self, value: int) -> None:
        self._set("heatmap_opacity", value)

    @property
    def recent(self) -> tuple[Path, ...]:
        """Workspaces opened before, latest first; they may be gone by now."""
        stored = self._store.value("recent") or []
        return tuple(Path(str(entry)) for entry in ([stored] if isinstance(stored, str) else stored))

    def remember(self, workspace: Path) -> None:
        """Put a workspace at the head of the recent ones."""
        others = [str(entry) for entry in self.recent if entry != workspace]
        self._set("recent", [str(workspace), *others][:RECENT_LIMIT])

    def forget(self, workspace: Path) -> None:
        """Take a workspace off the list; its folder stays where it is."""
        self._set("recent", [str(entry) for entry in self.recent if entry != workspace])

    def bytes_of(self, name: str) -> QByteArray | None:
        """Return a stored state of a window or a splitter, or None."""
        value = self._store.value(f"state/{name}")
        return value if isinstance(value, QByteArray) else None

    def keep_bytes(self, name: str, value: QByteArray) -> None:
        """Store the state of a window or a splitter."""
        self._store.setValue(f"state/{name}", value)

    def _set(self, name: str, value: object) -> None:
        self._store.setValue(name, value)
        self.changed.emit(name)

    def _text(self, name: str, default: str) -> str:
        return str(self._store.value(name, default))

    def _number(self, name: str, default: int, least: int, most: int) -> int:
        value: Any = self._store.value(name, default)
        try:
            return min(most, max(least, int(value)))
        except (TypeError, ValueError):
            return default

    def _flag(self, name: str, *, default: bool) -> bool:
        return str(self._store.value(name, default)).lower() in ("true", "1")


def _login() -> str:
    try:
        return getpass.getuser().strip() or _NOBODY
    except (KeyError, OSError, ImportError):
        return _NOBODY
