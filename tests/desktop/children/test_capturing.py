from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.children.capture_jobs import JOB_FOLDER, Checked
from desktop.children.capture_states import CaptureOptions, Page, PageList, Tempo, ending, pace_words
from desktop.children.capturing import Capturing
from desktop.children.log_file import LogFile
from desktop.children.writer import JobFailure, Writer
from engine.intake.capture.job_folder import JobFolder
from engine.taxonomy import preset
from engine.workspace import Workspace

HERE = Path(__file__).parent
SITE = "https://a.example/"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "shop.secondlook"
    Workspace.create(path, preset("products")).close()
    return path


Make = Callable[..., Capturing]


@pytest.fixture
def make(workspace: Path, log_file: LogFile, qtbot: QtBot) -> Iterator[Make]:
    """Windows on one workspace, one after the other: `make("good")`."""
    made: list[tuple[Capturing, Writer]] = []

    def end() -> None:
        for capturing, writer in made:
            capturing.close()
            writer.close()
        made.clear()

    def build(mode: str = "good") -> Capturing:
        end()
        writer = Writer(workspace, "writer")
        writer.start()

        def command(folder: Path) -> tuple[str, ...]:
            return (sys.executable, str(HERE / "fake_capture.py"), mode, str(folder))

        made.append((Capturing(command, log_file, writer), writer))
        return made[-1][0]

    yield build
    end()


Begin = Callable[..., None]


@pytest.fixture
def begin(qtbot: QtBot) -> Begin:
    def run(capturing: Capturing, *paths: str) -> None:
        answers: list[Checked | JobFailure] = []
        capturing.check("".join(f"{SITE}{path}\n" for path in paths), None, "", answers.append)
        qtbot.waitUntil(lambda: bool(answers))
        assert isinstance(answers[0], Checked)
        capturing.begin(answers[0].found, CaptureOptions(rate=0))

    return run


def states(capturing: Capturing) -> dict[str, str]:
    return {page.key.removeprefix(SITE): page.state for page in capturing.pages.rows}


def items(workspace: Path) -> set[str]:
    with Workspace.open(workspace) as ws:
        return {item.url.removeprefix(SITE) for item in ws.items.iter()}


def ended(qtbot: QtBot, capturing: Capturing, stage: str = "done") -> None:
    qtbot.waitUntil(lambda: capturing.state.stage == stage)


def test_a_list_becomes_items_and_the_ends_are_told(qtbot: QtBot, make: Make, begin: Begin, workspace: Path) -> None:
    capturing = make()
    taken: list[str] = []
    capturing.taken.connect(taken.extend)
    begin(capturing, "a", "401", "404", "500", "b")
    ended(qtbot, capturing)
    assert states(capturing) == {"a": "captured", "401": "failed", "404": "gone", "500": "failed", "b": "captured"}
    assert capturing.state.text == "2 captured, 1 gone, 2 failed."
    assert items(workspace) == {"a", "b", "404"}
    assert len(taken) == 3
    failed = capturing.pages.get(f"{SITE}401")
    assert failed is not None
    assert failed.reason == "Login wall: That is what stood there."
    assert (capturing.folder / failed.picture).is_file()
    first = capturing.pages.get(f"{SITE}a")
    assert first is not None
    assert (first.title, len(first.capture)) == ("Page e/a", 64)


def test_a_refused_address_names_the_way_out_also_at_the_next_start(qtbot: QtBot, make: Make, begin: Begin) -> None:
    words = (
        "Refused: That is what stood there. "
        "Where it is your own, make a new list (N) and allow addresses of this computer and its network."
    )
    capturing = make()
    begin(capturing, "403")
    ended(qtbot, capturing)
    assert [page.reason for page in capturing.pages.rows] == [words]
    later = make()
    later.look()
    ended(qtbot, later)
    assert [page.reason for page in later.pages.rows] == [words]


def test_a_list_without_failures_leaves_no_folder(qtbot: QtBot, make: Make, begin: Begin, workspace: Path) -> None:
    capturing = make()
    begin(capturing, "a")
    ended(qtbot, capturing)
    qtbot.waitUntil(lambda: not (workspace / JOB_FOLDER).exists())
    assert (workspace / JOB_FOLDER) == JobFolder.of(workspace).path


def test_what_is_there_is_not_captured_again(qtbot: QtBot, make: Make, begin: Begin) -> None:
    capturing = make()
    begin(capturing, "a")
    ended(qtbot, capturing)
    begin(capturing, "a", "b")
    ended(qtbot, capturing)
    assert states(capturing) == {"a": "there", "b": "captured"}
    begin(capturing, "a", "b")
    ended(qtbot, capturing)
    assert capturing.state.text == "2 there already."


def test_one_failed_page_is_tried_again_on_its_own(qtbot: QtBot, make: Make, begin: Begin, workspace: Path) -> None:
    capturing = make()
    begin(capturing, "a", "401", "500")
    ended(qtbot, capturing)
    capturing.retry([f"{SITE}401", f"{SITE}a"])
    assert states(capturing) == {"a": "captured", "401": "waiting", "500": "failed"}
    ended(qtbot, capturing)
    assert states(capturing) == {"a": "captured", "401": "captured", "500": "failed"}
    assert capturing.state.text == "2 captured, 1 failed."
    assert items(workspace) == {"a", "401"}


def test_what_failed_has_failed_at_the_next_start_too(qtbot: QtBot, make: Make, begin: Begin) -> None:
    first = make()
    begin(first, "a", "500")
    ended(qtbot, first)
    assert states(first) == {"a": "captured", "500": "failed"}
    first.close()
    capturing = make()
    offered: list[str] = []
    capturing.offered.connect(offered.append)
    capturing.look()
    ended(qtbot, capturing)
    assert states(capturing) == {"a": "captured", "500": "failed"}
    failed = capturing.pages.get(f"{SITE}500")
    assert failed is not None
    assert (failed.tries, failed.reason) == (3, "Error page: That is what stood there.")
    assert offered == []
    capturing.retry([f"{SITE}500"])
    ended(qtbot, capturing)
    assert states(capturing) == {"a": "captured", "500": "captured"}


def test_pause_resume_and_a_retry_while_it_runs(qtbot: QtBot, make: Make, begin: Begin) -> None:
    capturing = make("step")
    begin(capturing, "401", "a")
    ended(qtbot, capturing, "run")
    capturing.hold()
    assert capturing.state.stage == "hold"
    ended(qtbot, capturing, "rest")
    assert capturing.state.text == "Paused at 0 of 2."
    capturing.go_on()
    qtbot.waitUntil(lambda: states(capturing)["401"] == "failed")
    capturing.retry([f"{SITE}401"])
    assert states(capturing)["401"] == "waiting"
    for _ in range(2):
        capturing.child.go_on()
    ended(qtbot, capturing)
    assert states(capturing) == {"401": "captured", "a": "captured"}


def test_a_retry_that_comes_too_late_for_the_child_is_done_by_another_one(
    qtbot: QtBot, make: Make, begin: Begin, workspace: Path
) -> None:
    capturing = make()
    begin(capturing, "401")

    def as_it_fails(_place: int) -> None:
        if states(capturing)["401"] == "failed" and capturing.child.running:
            capturing.retry([f"{SITE}401"])

    capturing.pageChanged.connect(as_it_fails)
    qtbot.waitUntil(lambda: states(capturing) == {"401": "captured"})
    ended(qtbot, capturing)
    assert items(workspace) == {"401"}


def test_a_stop_ends_in_words_and_the_rest_can_go_on(qtbot: QtBot, make: Make, begin: Begin) -> None:
    capturing = make("step")
    begin(capturing, "a", "b", "c")
    ended(qtbot, capturing, "run")
    capturing.child.go_on()
    qtbot.waitUntil(lambda: states(capturing)["a"] == "captured")
    capturing.stop()
    assert capturing.state.text == "Stopping the browser…"
    ended(qtbot, capturing, "stopped")
    assert capturing.state.text == "2 of 3 pages left to capture; what was captured is kept."
    capturing.go_on()
    ended(qtbot, capturing, "run")
    for _ in range(2):
        capturing.child.go_on()
    ended(qtbot, capturing)
    assert set(states(capturing).values()) == {"captured"}


def test_a_child_that_dies_is_told_and_loses_nothing_that_was_captured(
    qtbot: QtBot, make: Make, begin: Begin, workspace: Path
) -> None:
    capturing = make("die")
    begin(capturing, "a", "b")
    ended(qtbot, capturing, "broken")
    assert capturing.state.text == "The capture stopped unexpectedly; its log says why. 1 of 2 pages left to capture."
    assert states(capturing) == {"a": "captured", "b": "waiting"}
    capturing.go_on()
    qtbot.waitUntil(lambda: states(capturing)["b"] == "captured")
    ended(qtbot, capturing, "broken")  # killed once more, after its last page
    capturing.go_on()
    assert items(workspace) == {"a", "b"}


def test_what_a_window_left_undone_is_offered_and_goes_on(
    qtbot: QtBot, make: Make, begin: Begin, workspace: Path
) -> None:
    capturing = make("wait")
    begin(capturing, "a", "b")
    qtbot.waitUntil(lambda: states(capturing) == {"a": "open", "b": "open"})
    capturing.close()
    assert not capturing.child.running
    after = make("good")
    with qtbot.waitSignal(after.offered) as offered:
        after.look()
    assert offered.args == ["A capture was left unfinished: 2 of 2 pages to go."]
    assert after.state.stage == "stopped"
    after.go_on()
    ended(qtbot, after)
    assert items(workspace) == {"a", "b"}


def test_what_was_finished_but_not_taken_in_is_taken_in_at_the_next_start(
    qtbot: QtBot, make: Make, begin: Begin, workspace: Path
) -> None:
    capturing = make("die")
    capturing._blocked = "for this test"  # nothing is taken in by this window
    capturing._start_child = capturing.child.start  # type: ignore[method-assign]
    begin(capturing, "a", "b")
    qtbot.waitUntil(lambda: len(JobFolder.of(workspace).finished()) == 1 and not capturing.child.running)
    assert items(workspace) == set()
    after = make()
    with qtbot.waitSignal(after.taken):
        after.look()
    assert items(workspace) == {"a"}
    assert states(after) == {"a": "captured", "b": "waiting"}


def test_failures_are_there_at_the_next_start(qtbot: QtBot, make: Make, begin: Begin) -> None:
    capturing = make()
    begin(capturing, "a", "401")
    ended(qtbot, capturing)
    after = make()
    with qtbot.assertNotEmitted(after.offered):
        after.look()
        ended(qtbot, after)
    assert states(after) == {"a": "captured", "401": "failed"}
    failed = after.pages.get(f"{SITE}401")
    assert failed is not None
    assert failed.reason == "Login wall: That is what stood there."
    assert (after.folder / failed.picture).is_file()


def test_without_a_browser_the_sentence_of_the_engine_is_shown(qtbot: QtBot, make: Make, begin: Begin) -> None:
    capturing = make("none")
    begin(capturing, "a")
    ended(qtbot, capturing, "broken")
    assert capturing.state.text == "Chromium is not installed. Install it. 1 of 1 page left to capture."


def test_a_line_that_is_no_event_goes_to_the_log(qtbot: QtBot, make: Make, begin: Begin, log_file: LogFile) -> None:
    capturing = make("odd")
    begin(capturing, "a")
    ended(qtbot, capturing)
    assert "this is no event" in log_file.tail()


def test_a_list_that_is_given_up_leaves_nothing(qtbot: QtBot, make: Make, begin: Begin, workspace: Path) -> None:
    capturing = make()
    begin(capturing, "401")
    ended(qtbot, capturing)
    capturing.forget()
    assert (len(capturing.pages), capturing.state.stage) == (0, "idle")
    qtbot.waitUntil(lambda: not (workspace / JOB_FOLDER).exists())


def test_bad_lines_are_named_and_only_the_newest_answer_counts(qtbot: QtBot, make: Make) -> None:
    capturing = make()
    answers: list[Checked | JobFailure] = []
    capturing.check("https://a.example/old", None, "", answers.append)
    capturing.check("a.example/1\n\nnot one\nhttps://a.example/1\n", None, "", answers.append)
    qtbot.waitUntil(lambda: bool(answers))
    (answer,) = answers
    assert isinstance(answer, Checked)
    assert [one.url for one in answer.found.addresses] == ["https://a.example/1"]
    assert [(one.line, one.reason) for one in answer.found.problems] == [(3, "'not one' is no http or https address")]
    assert (answer.found.repeated, answer.there) == (1, 0)


def test_a_file_that_cannot_be_read_is_told(qtbot: QtBot, make: Make, tmp_path: Path) -> None:
    answers: list[Checked | JobFailure] = []
    make().check("", tmp_path / "none.txt", "", answers.append)
    qtbot.waitUntil(lambda: bool(answers))
    assert isinstance(answers[0], JobFailure)
    assert "There is no file" in answers[0].message


def test_a_disk_that_refuses_pauses_the_capture_and_loses_nothing(
    qtbot: QtBot, make: Make, begin: Begin, workspace: Path
) -> None:
    captures = workspace / "captures"
    captures.rename(workspace / "elsewhere")
    captures.write_text("in the way")
    capturing = make()
    told: list[str] = []
    capturing.ended.connect(lambda text, _kind: told.append(text))
    begin(capturing, "a")
    ended(qtbot, capturing, "broken")
    assert "cannot be written" in told[0]
    assert "cannot be written" in capturing.state.fault
    captures.unlink()
    (workspace / "elsewhere").rename(captures)
    capturing.go_on()
    ended(qtbot, capturing)
    assert items(workspace) == {"a"}


def test_the_pace_is_that_of_the_last_seconds() -> None:
    now = [100.0]
    tempo = Tempo(lambda: now[0])
    assert tempo.per_second() == 0.0
    for _ in range(40):
        now[0] += 0.25
        tempo.count()
    assert tempo.per_second() == pytest.approx(4.0)
    now[0] += 30.0
    assert tempo.per_second() == 0.0


@pytest.mark.parametrize(
    ("per_second", "left", "words"),
    [
        (0.0, 5, ""),
        (4.1, 86, "4.1 pages a second · about 20 s left"),
        (0.5, 60, "30 pages a minute · about 2 min left"),
        (2.0, 2, "2.0 pages a second · about 1 s left"),
        (1.0, 20_000, "1.0 pages a second · about 6 h left"),
        (3.0, 0, "3.0 pages a second"),
    ],
)
def test_pace_in_words(per_second: float, left: int, words: str) -> None:
    assert pace_words(per_second, left) == words


def test_the_end_in_words() -> None:
    assert ending(PageList()) == "Nothing was captured."
    pages = PageList([Page(key="a", item="a", state="captured"), Page(key="b", item="b")])
    assert (pages.waiting, ending(pages)) == (1, "1 captured.")
    pages.put(Page(key="b", item="b", state="gone"))
    assert (pages.waiting, ending(pages)) == (0, "1 captured, 1 gone.")
    with pytest.raises(KeyError):
        pages.put(Page(key="c", item="c"))
