"""Starting Chromium through Selenium so that a hostile page finds nothing, and leaving nothing of it behind.

Each run has a folder of its own under the system's temporary folder: the file `owner` (who started it) and `home`, all
that the browser may write. A watchdog (a shell that waits on a pipe from us) kills the browser and removes the folder
when we die without a word; a folder that is still there afterwards is removed by the next run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import msgspec
import psutil
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from engine.intake.capture.browser.failures import BrowserUnavailableError
from engine.intake.capture.browser.options import arguments, preferences

_PREFIX = "secondlook-capture-"
_USERS = ("secondlook", "nobody")
_NAMES = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "chromium-driver": ("chromedriver",)}
_MAKING_S = 3600.0
"""A folder without an owner is being made, unless it is older: then whoever made it was killed in that instant."""
_ENDING_S = 10.0
_FILTER_S = 10.0
"""Seconds in which a renderer has to be in its sandbox: a busy machine may show us one that has only just begun."""
_GLANCE_S = 0.01
_WATCH = 'read -r _ || { kill -s KILL -- "-$1"; rm -rf -- "$2"; }'


class User(NamedTuple):
    """Whom the browser runs as."""

    name: str
    uid: int
    gid: int


def unprivileged() -> User | None:
    """Return the user that the browser runs as when we are root, None when it runs as ourselves.

    Raises:
        BrowserUnavailableError: we are root and there is no user to run as.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    for name in _USERS:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            if found.pw_uid != 0:
                return User(name, found.pw_uid, found.pw_gid)
    raise BrowserUnavailableError(
        f"Capture never runs Chromium as root, and there is no user {' or '.join(_USERS)} to run it as.",
        "Run capture as an ordinary user, or add one: adduser --system --group secondlook",
    )


def programs() -> tuple[str, str]:
    """Return the paths of Chromium and of its driver.

    Raises:
        BrowserUnavailableError: one is not on PATH.
    """
    found = {package: next(filter(None, map(shutil.which, names)), None) for package, names in _NAMES.items()}
    missing = [package for package, path in found.items() if path is None]
    if missing:
        raise BrowserUnavailableError(
            f"Capture needs Chromium and its driver, and {' and '.join(missing)} cannot be found on PATH.",
            "On Debian: apt install chromium chromium-driver",
        )
    return str(found["chromium"]), str(found["chromium-driver"])


class Chromium:
    """A running browser. `proxy` is the port of the only way out, None where it may go anywhere.

    Raises:
        BrowserUnavailableError: it does not start; the reason says why.
    """

    def __init__(self, proxy: int | None) -> None:
        chromium, driver = programs()
        user = unprivileged()
        self.folder = _new_folder(user)
        home = self.folder / "home"
        self._service = Service(driver, env=_environment(home), log_output=subprocess.DEVNULL, popen_kw=_rights(user))
        self._driver: webdriver.Chrome | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        try:
            self._driver = webdriver.Chrome(service=self._service, options=_options(chromium, home, proxy))
            self._watchdog = _watch(self._service.process.pid, self.folder)
            self.address = _debugger(self._driver.capabilities["goog:chromeOptions"]["debuggerAddress"])
        except (WebDriverException, URLError) as error:
            self.stop()
            raise _does_not_start(error, user) from error

    @property
    def group(self) -> int:
        """The process group of the driver, the browser and all its helpers."""
        return int(self._service.process.pid)

    def stop(self) -> None:
        """End the browser and all its helpers at once, and remove its folder. May be called twice."""
        process: subprocess.Popen[bytes] | None = getattr(self._service, "process", None)
        if process is not None and process.returncode is None:
            running = _members(process.pid)
            _kill_group(process.pid)
            process.wait(timeout=10)
            _wait_for(running, _ENDING_S)  # what is killed takes a moment to end, and writes until then
            if process.stdin is not None:
                process.stdin.close()
        if self._watchdog is not None:
            self._watchdog.communicate(b"done\n", timeout=10)
            self._watchdog = None
        shutil.rmtree(self.folder, ignore_errors=True)


def check_sandbox(processes: list[dict[str, Any]]) -> None:
    """Check that every renderer runs under Chromium's sandbox: its system calls are filtered (seccomp-bpf, mode 2).

    A renderer that has only just begun is not filtered yet, and has not been given a page either: it gets 10 seconds.

    Args:
        processes: `processInfo` of the command `SystemInfo.getProcessInfo`.

    Raises:
        BrowserUnavailableError: one is not, or there is none to look at.
    """
    if sys.platform != "linux":
        return
    renderers = [int(process["id"]) for process in processes if process["type"] == "renderer"]
    until = time.monotonic() + _FILTER_S
    if not renderers or not all(_is_filtered_by(until, pid) for pid in renderers):
        raise BrowserUnavailableError(
            "Chromium runs without its sandbox here, so no page is captured.",
            "Remove --no-sandbox from /etc/chromium.d, and allow user namespaces or install chromium-sandbox.",
        )


def clean_up() -> None:
    """Remove what runs before this one left behind, with their processes: only folders of ours whose owner is dead."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            ours = not folder.is_symlink() and (sys.platform == "win32" or folder.lstat().st_uid == os.geteuid())
            if ours and not _alive(folder):
                _kill_users_of(folder)
                shutil.rmtree(folder, ignore_errors=True)


def _new_folder(user: User | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    me = psutil.Process()
    (folder / "owner").write_bytes(msgspec.json.encode((me.pid, me.create_time())))
    home = folder / "home"
    home.mkdir(mode=0o700)
    if user is not None:
        os.chown(home, user.uid, user.gid)
        folder.chmod(0o711)
    return folder


def _alive(folder: Path) -> bool:
    """Return whether the process that made `folder` still runs, or may be about to say who it is."""
    try:
        pid, created = msgspec.json.decode((folder / "owner").read_bytes(), type=tuple[int, float])
    except FileNotFoundError:
        return time.time() - folder.lstat().st_mtime < _MAKING_S
    try:
        return abs(psutil.Process(pid).create_time() - created) < 1
    except psutil.NoSuchProcess:
        return False


def _kill_users_of(folder: Path) -> None:
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder / "home") in word for word in process.info["cmdline"] or ()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                _kill_group(os.getpgid(process.pid))


def _kill_group(group: int) -> None:
    if group != os.getpgrp():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _members(group: int) -> list[psutil.Process]:
    """All processes of a group but those that have ended and wait to be noticed."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(one.pid) == group and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def _wait_for(processes: list[psutil.Process], seconds: float) -> None:
    """Wait until all have ended. One whose parent has not asked how it ended has ended too; that can take seconds."""
    until = time.monotonic() + seconds
    while any(map(_runs, processes)) and time.monotonic() < until:
        time.sleep(_GLANCE_S)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _environment(home: Path) -> dict[str, str]:
    """All that the browser learns of ours: where programs are, and a home of its own."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}


def _rights(user: User | None) -> dict[str, Any]:
    own: dict[str, Any] = {"start_new_session": True, "cwd": "/"}
    return own if user is None else own | {"user": user.uid, "group": user.gid, "extra_groups": []}


def _options(chromium: str, home: Path, proxy: int | None) -> Options:
    options = Options()
    options.binary_location = chromium
    for argument in arguments(home / "profile", proxy):
        options.add_argument(argument)
    # The driver's own additions that would open doors or give a page something to see.
    options.add_experimental_option(
        "excludeSwitches", ["disable-popup-blocking", "enable-automation", "enable-logging"]
    )
    options.add_experimental_option("prefs", preferences())
    return options


def _watch(group: int, folder: Path) -> subprocess.Popen[bytes]:
    command = ["/bin/sh", "-c", _WATCH, "sh", str(group), str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env={"PATH": os.defpath}, cwd="/", start_new_session=True)


def _debugger(address: str) -> str:
    """Return the address of the browser's websocket. Never through a proxy of the environment."""
    with build_opener(ProxyHandler({})).open(f"http://{address}/json/version", timeout=10) as answer:
        return str(msgspec.json.decode(answer.read())["webSocketDebuggerUrl"])


def _does_not_start(error: Exception, user: User | None) -> BrowserUnavailableError:
    first = str(getattr(error, "msg", None) or error).strip().split("\n")[0][:300].rstrip(".")
    command = "chromium --headless=new --dump-dom about:blank"
    return BrowserUnavailableError(
        f"Chromium does not start: {first}.",
        f"See what '{command}' says as {f'user {user.name}' if user else 'yourself'}; its sandbox needs user "
        "namespaces or the package chromium-sandbox, and the driver the browser's version.",
    )


def _is_filtered_by(until: float, pid: int) -> bool:
    """Return whether a process is in its sandbox, at the latest at monotonic `until`; at once if it can never be."""
    while not _filtered(pid):
        if not psutil.pid_exists(pid) or time.monotonic() >= until:
            return False
        time.sleep(_GLANCE_S)
    return True


def _filtered(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "\nSeccomp:\t2\n" in status
