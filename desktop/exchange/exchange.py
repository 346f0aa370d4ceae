"""Brings review packs into the open workspace and writes exports and packs, and says how each went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices

from desktop.children.jobs import Job
from desktop.children.writer import JobFailure, Writer
from desktop.dialogs import ask_target
from desktop.exchange.jobs import Export, MergePack, RehearseMerge, WritePack
from desktop.widgets import WayOut
from engine.counting import counted

if TYPE_CHECKING:
    from desktop.desk import Desk
    from desktop.exchange.merge_panel import MergePanel
    from desktop.exchange.pack_panel import PackPanel
    from desktop.window import DeskWindow
    from engine.intake import ExportReport
    from engine.intake.pack import Choice, PackReport
    from engine.workspace.merging import Merged

_CANCEL = "app.cancel-import"
_T = TypeVar("_T")


class Exchange(QObject):
    """The exchange of one open workspace: one thing at a time, in the background, and never beside an import."""

    def __init__(self, desk: Desk, window: DeskWindow, beside: Callable[[], Path]) -> None:
        super().__init__(desk)
        self._desk, self._window, self._beside = desk, window, beside
        self._jobs = Writer(desk.path, "exchange", self)
        self._started = False
        self._ticket = 0
        self._packs: list[Path] = []

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self._ticket)

    @cached_property
    def merge_panel(self) -> MergePanel:
        """The panel that asks before a merge; made when it is first needed."""
        from desktop.exchange.merge_panel import MergePanel

        panel = self._window.add_overlay(MergePanel(self._window.theme, self._window.body))
        panel.agreed.connect(self.merge)
        panel.declined.connect(self._next_pack)
        return panel

    @cached_property
    def pack_panel(self) -> PackPanel:
        """The panel that asks what goes into a pack; made when it is first needed."""
        from desktop.exchange.pack_panel import PackPanel

        panel = self._window.add_overlay(PackPanel(self._window.theme, self._window.body))
        panel.chosen.connect(self.ask_pack_file)
        return panel

    def close(self) -> None:
        """Call off what is under way, wait for its end, and take the panels away."""
        self._jobs.cancel_all()
        self._jobs.close()
        for name in ("merge_panel", "pack_panel"):
            if name in self.__dict__:
                self._window.drop_overlay(self.__dict__.pop(name))

    def cancel(self) -> None:
        """Call off what is under way; nothing of it is kept."""
        self._jobs.cancel(self._ticket)

    # --- in ---------------------------------------------------------------------------------------------------

    def take(self, paths: Sequence[Path]) -> None:
        """Look review packs over one after the other and ask whether to merge each; import everything else."""
        from engine.intake.pack import is_pack

        packs = [path for path in paths if is_pack(path)]
        others = [path for path in paths if path not in packs]
        if others:
            self._desk.import_paths(others)
        self._packs += packs
        if others and packs:
            self._window.say("Merge the review packs once the import has ended.", "info")
            self._packs.clear()
        elif packs:
            self._next_pack()

    def merge(self, pack: Path) -> None:
        """Merge a pack."""
        self._start(MergePack(pack), f"Merging {pack.name}", lambda merged: self._on_merged(pack, merged))

    def _next_pack(self) -> None:
        if self._packs and not self.busy:
            pack = self._packs.pop(0)
            self._start(
                RehearseMerge(pack),
                f"Looking {pack.name} over",
                lambda merged: self.merge_panel.ask(pack, merged),
            )

    def _on_merged(self, pack: Path, merged: Merged) -> None:
        self._desk.countsChanged.emit()
        self._desk.score_missing()
        rows = f"{counted(merged.items, 'item')} and {counted(merged.decisions, 'decision row')}"
        differ = f", {counted(len(merged.conflicts), 'conflict')}" if merged.conflicts else ""
        way_out = WayOut("Show them", lambda: self.merge_panel.tell(pack, merged))
        kind = "warning" if merged.conflicts or merged.differing else "success"
        self._window.say(f"Merged {pack.name}: {rows} are new{differ}.", kind, way_out)
        self._next_pack()

    # --- out --------------------------------------------------------------------------------------------------

    def ask_export(self) -> None:
        """Ask for a file and its format, and write everything to it."""
        from engine.intake.formats import FORMATS

        formats = [one for one in FORMATS.values() if one.writes and one.name != "pack"]
        filters = {f"{one.title} (*{one.extension})": one.name for one in formats}
        ask_target(
            self._window, "Export decisions", self._beside(), list(filters),
            lambda file, chosen: self.export(file, filters[chosen]),
        )  # fmt: skip

    def export(self, file: Path, name: str) -> None:
        """Write everything to a file in one of the formats."""
        from engine.intake.formats import FORMATS

        if not file.suffix:
            file = file.with_suffix(FORMATS[name].extension)
        self._start(Export(file, name), f"Exporting to {file.name}", self._on_exported)

    def ask_pack(self) -> None:
        """Ask what goes into a review pack."""
        self.pack_panel.open()

    def ask_pack_file(self, choice: Choice) -> None:
        """Ask where a review pack goes, and write it."""
        ask_target(
            self._window, "Make a review pack", self._beside(), ["Review pack (*.zip)"],
            lambda file, _: self.pack(file.with_suffix(".zip"), choice),
        )  # fmt: skip

    def pack(self, file: Path, choice: Choice) -> None:
        """Write a review pack."""
        self._start(WritePack(file, choice), f"Packing {file.name}", self._on_packed)

    def _on_exported(self, report: ExportReport) -> None:
        from engine.intake.formats import FORMATS

        what = f"{counted(report.items, 'item')} as {counted(report.rows, 'row')}"
        words = f"Wrote {what} to {Path(report.file).name} ({FORMATS[report.format].title})."
        notes = f" {'. '.join(report.notes).rstrip('.')}." if report.notes else ""
        self._say_written(words + notes, report.file, "warning" if report.notes else "success")

    def _on_packed(self, report: PackReport) -> None:
        from engine.intake.pack.words import packed

        self._say_written(packed(report).replace(report.file, Path(report.file).name), report.file, "success")

    def _say_written(self, words: str, file: str, kind: str) -> None:
        folder = QUrl.fromLocalFile(str(Path(file).parent))
        self._window.say(words, kind, WayOut("Open its folder", lambda: QDesktopServices.openUrl(folder)))

    # --- how it goes ------------------------------------------------------------------------------------------

    def _start(self, job: Job[_T], title: str, done: Callable[[_T], None]) -> None:
        if self.busy or self._desk.importing:
            self._window.say("Something is under way already; cancel it or wait for it.", "info")
            return
        if not self._started:
            self._started = True
            self._jobs.start()
        self._show(title, 0, 0)
        self._ticket = self._jobs.submit(
            job,
            lambda result: self._end(done, result),
            self._on_failed,
            lambda so_far, total: self._show(title, so_far, total),
        )

    def _show(self, title: str, done: int, total: int) -> None:
        table = self._window.actions_table
        table.retitle(_CANCEL, f"Cancel: {title[0].lower()}{title[1:]}")
        table.set_enabled(_CANCEL, True)
        self._window.top_bar.show_activity(title, done / total if total > 0 else None)

    def _end(self, done: Callable[[_T], None], result: _T) -> None:
        self._rest()
        done(result)

    def _on_failed(self, failure: JobFailure) -> None:
        self._rest()
        self._packs.clear()
        self._window.say(failure.message, failure.kind)

    def _rest(self) -> None:
        self._ticket = 0
        self._window.top_bar.show_activity("")
        self._window.actions_table.set_enabled(_CANCEL, False)
        self._window.actions_table.retitle(_CANCEL, self._window.actions_table.specs[_CANCEL].title)
