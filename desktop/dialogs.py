"""Questions about files, outside the review loop. They never block: the answer comes to a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

OWN_DIALOGS = "SECONDLOOK_OWN_DIALOGS"
"""Set this environment variable to use Qt's own file dialog instead of the system's."""
SOURCES = "Captures, answers and review packs (*.jsonl *.ndjson *.csv *.json *.parquet *.zip);;All files (*)"


def ask_folder(parent: QWidget, title: str, start: Path, then: Callable[[Path], object]) -> QFileDialog:
    """Ask for a folder; `then` gets it, unless the question is put away."""
    dialog = _dialog(parent, title, start)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(lambda chosen: then(Path(chosen)))
    dialog.open()
    return dialog


def ask_files(
    parent: QWidget, title: str, start: Path, filters: str, then: Callable[[list[Path]], object], *, many: bool = True
) -> QFileDialog:
    """Ask for existing files; `then` gets them, unless the question is put away."""
    dialog = _dialog(parent, title, start)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles if many else QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilter(filters)
    dialog.filesSelected.connect(lambda chosen: then([Path(name) for name in chosen]))
    dialog.open()
    return dialog


def ask_target(
    parent: QWidget, title: str, start: Path, filters: Sequence[str], then: Callable[[Path, str], object]
) -> QFileDialog:
    """Ask where a file goes; `then` gets the path and which of the filters was chosen, unless it is put away."""
    dialog = _dialog(parent, title, start)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    dialog.setNameFilters(list(filters))
    dialog.fileSelected.connect(lambda chosen: then(Path(chosen), dialog.selectedNameFilter()))
    dialog.open()
    return dialog


def _dialog(parent: QWidget, title: str, start: Path) -> QFileDialog:
    dialog = QFileDialog(parent, title, str(start))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if os.environ.get(OWN_DIALOGS):
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    return dialog
