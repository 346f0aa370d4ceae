"""Starting and ending the browser: as whom, with what, and that nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from engine.errors import CancelledError
from engine.intake.capture.browser import Browser, BrowserUnavailableError, process
from engine.intake.capture.browser.options import arguments
from engine.intake.capture.types import Job, Settings

KILLED = """
import sys
from engine.intake.capture.browser import Browser
from engine.intake.capture.types import Settings
with Browser(Settings(allow_local=True)) as browser:
    print(browser.process_group, browser._running.chromium.folder, flush=True)
    sys.stdin.read()
"""


def members(group: int) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(one.pid) == group and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def test_the_sandbox_is_on_and_nobody_is_root(browser: Browser) -> None:
    found = members(browser.process_group)
    commands = [" ".join(one.cmdline()) for one in found]
    assert len(found) > 4
    assert not [command for command in commands if "--no-sandbox" in command.split()]
    renderers = [one for one in found if "--type=renderer" in one.cmdline()]
    assert renderers
    for one in renderers:
        assert "\nSeccomp:\t2\n" in Path(f"/proc/{one.pid}/status").read_text()
    assert {one.uids().real for one in found} & {0} == set()
    assert {tuple(one.uids()) for one in found} == {(one.uids().real,) * 3 for one in found}


def test_the_browser_learns_little_of_our_environment(browser: Browser) -> None:
    status = Path(f"/proc/{browser.process_group}/environ").read_bytes()
    names = {entry.split(b"=")[0] for entry in status.split(b"\0") if entry}
    assert names == {b"PATH", b"HOME", b"TMPDIR", b"LANG"}


def test_no_option_switches_the_sandbox_off() -> None:
    for proxy in (None, 1234):
        assert not [option for option in arguments(Path("/x"), proxy) if "no-sandbox" in option or "single" in option]


def test_renderers_outside_the_sandbox_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_FILTER_S", 0.05)
    for found in ([], [{"type": "renderer", "id": os.getpid()}], [{"type": "renderer", "id": 2**22 + 1}]):
        with pytest.raises(BrowserUnavailableError, match="without its sandbox"):
            process.check_sandbox(found)


def test_a_renderer_that_has_only_just_begun_is_given_time_to_enter_its_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = iter([False, False, True])
    monkeypatch.setattr(process, "_filtered", lambda pid: next(looks))
    process.check_sandbox([{"type": "renderer", "id": os.getpid()}])
    assert next(looks, None) is None


def test_what_has_ended_is_not_waited_for_although_nobody_asked_how() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "exit"], stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.read()
        found = psutil.Process(child.pid)
        process._wait_for([found], 10.0)
        assert not process._runs(found)
        assert child.returncode is None


def test_root_without_an_unprivileged_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(name: str) -> Any:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    with pytest.raises(BrowserUnavailableError, match=r"never runs Chromium as root.*adduser --system"):
        process.unprivileged()


def test_an_ordinary_user_runs_the_browser_as_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert process.unprivileged() is None


@pytest.mark.parametrize(("there", "missing"), [("chromium", "chromium-driver"), ("chromedriver", "chromium")])
def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: str, missing: str
) -> None:
    (tmp_path / there).write_text("#!/bin/sh\n")
    (tmp_path / there).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserUnavailableError, match=rf"and {missing} cannot be found.*apt install chromium"):
        process.programs()


def test_a_browser_that_does_not_start_is_told_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    driver = process.programs()[1]
    tmp_path.chmod(0o755)
    monkeypatch.setattr(process, "programs", lambda: (str(broken), driver))
    before = left()
    with pytest.raises(BrowserUnavailableError, match="Chromium does not start: "), Browser(Settings(allow_local=True)):
        pass
    assert left() == before


def test_cancelling_ends_the_waiting_and_leaves_nothing(site: Any) -> None:
    with Browser(Settings(allow_local=True, timeout=60.0, workers=1)) as browser:
        group, running = browser.process_group, browser._running
        assert running is not None
        folder = running.chromium.folder

        def cancel(visitor: Any) -> Any:
            browser.cancel()
            site.arrived("/never").wait(10)

        with pytest.raises(CancelledError):
            list(browser.capture_many([Job(url=site.at("/", cancel))]))
        site.arrived("/never").set()
    assert members(group) == []
    assert not folder.exists()


def test_a_run_that_is_killed_takes_its_browser_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        group, folder = child.stdout.readline().split()
        found = members(int(group))
        assert len(found) > 4
        child.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(found, timeout=10)
    assert not alive
    process.clean_up()
    assert not Path(folder).exists()


def test_what_a_dead_run_left_is_removed_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    me = psutil.Process()
    owners: dict[str, Any] = {
        "dead": (2**22 + 1, 1.0),
        "recycled": (me.pid, me.create_time() - 1000),
        "alive": (me.pid, me.create_time()),
    }
    for name, owner in owners.items():
        folder = tmp_path / f"secondlook-capture-{name}"
        (folder / "home" / "profile").mkdir(parents=True)
        (folder / "owner").write_text(json.dumps(owner))
    (tmp_path / "secondlook-capture-new").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "secondlook-capture-link").symlink_to(tmp_path / "other")
    home = tmp_path / "secondlook-capture-dead" / "home"
    with subprocess.Popen(["/bin/sh", "-c", "read x", str(home)], stdin=-1, start_new_session=True) as leftover:
        process.clean_up()
        assert leftover.wait(10) == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {
        "secondlook-capture-alive",
        "secondlook-capture-new",
        "secondlook-capture-link",
        "other",
    }


def test_a_folder_whose_maker_was_killed_before_it_said_who_it_is_is_removed_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "secondlook-capture-nobodys"
    folder.mkdir()
    process.clean_up()
    assert folder.exists()
    os.utime(folder, (1.0, 1.0))
    process.clean_up()
    assert not folder.exists()


def left() -> set[str]:
    """The folders of this very process; other tests may have browsers of their own at the same time."""
    found = set()
    for path in Path(tempfile.gettempdir()).glob("secondlook-capture-*"):
        with contextlib.suppress(OSError):
            if msgspec.json.decode((path / "owner").read_bytes())[0] == os.getpid():
                found.add(path.name)
    return found
