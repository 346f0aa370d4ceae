"""A stand-in for the capture's child. Its first argument says how it behaves; the last is the job folder.

An address that ends in "401" meets a login wall until it is tried again, "403" is refused, "404" is gone, "500" is
tried twice and fails; anything else is captured. Modes: "good"; "step" does a page only for each further request line
that is "goon"; "wait" begins every page and finishes none; "die" is killed after its first page; "none" has no
browser; "odd" says something that is no event first.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

from PIL import Image

from engine.intake.capture.job_folder import InJobFolder, JobFolder, name_of
from engine.intake.capture.record_journal import Journal, Line
from engine.intake.capture.types import Address, Captured, Kind, Outcome
from engine.service import protocol

MODE = sys.argv[1]
FOLDER = JobFolder(Path(sys.argv[-1]))
AT = "2026-01-31T12:00:00.000Z"


def say(message: protocol.Message) -> None:
    sys.stdout.buffer.write(protocol.encode(message))
    sys.stdout.buffer.flush()


def png(seed: int) -> bytes:
    image = Image.linear_gradient("L").resize((60, 40)).convert("RGB")
    image.putpixel((0, 0), (seed % 256, seed // 256 % 256, 7))
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def kind_of(url: str, again: bool) -> Kind:
    ends: dict[str, Kind] = {"401": "login wall", "403": "refused", "404": "deleted", "500": "error page"}
    return "captured" if again else ends.get(url[-3:], "captured")


def do(address: Address, number: int, keeper: InJobFolder, journal: Journal, again: bool) -> None:
    kind = kind_of(address.url, again)
    say(protocol.PageBegun(key=address.url))
    if MODE == "wait":
        return
    reason = "" if kind == "captured" else "That is what stood there."
    if kind == "error page":
        say(protocol.PageTried(key=address.url, kind=kind, reason=reason, name="", tries=1, again=True, wait=5.0))
    name, picture = "", ""
    if kind in ("captured", "deleted"):
        fields = {"title": f"Page {address.url[-3:]}", "text": "Warm", "url": address.url}
        outcome = Outcome(kind=kind, reason=reason)
        keeper.keep(Captured(address=address, fields=fields, outcome=outcome), png(number), AT)
        name = name_of(address.url)
    else:
        picture = FOLDER.put_failed(address.url, png(number))
    line = Line(at=AT, key=address.url, item=address.id, kind=kind, reason=reason, again=kind == "error page")
    for _ in range(FOLDER.job().passes if line.again else 1):
        journal.write(line)
    say(protocol.PageTried(key=address.url, kind=kind, reason=reason, name=name, tries=1, picture=picture))


def next_request() -> protocol.CaptureRequest:
    """Wait for a line; end where the window is gone or wants it."""
    line = sys.stdin.buffer.readline()
    request = protocol.decode_capture_request(line) if line else protocol.Stop()
    if isinstance(request, protocol.Stop):
        say(protocol.CaptureFailed(message="Stopped; what was captured is kept.", stopped=True))
        sys.exit(130)
    return request


def main() -> None:
    if MODE == "none":
        say(protocol.CaptureFailed(message="Chromium is not installed. Install it."))
        sys.exit(2)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MODE == "odd":
        sys.stdout.write("this is no event\n")
    job, todo = FOLDER.job(), FOLDER.todo()
    keeper = InJobFolder(FOLDER, FOLDER.taxonomy(), {one.id: one.url for one in job.addresses})
    say(protocol.CaptureBegan(total=len(todo.keys)))
    with FOLDER.journal as journal:
        wanted = [one for one in job.addresses if one.url in set(todo.keys)]
        for number, address in enumerate(wanted):
            if MODE == "step":
                while not isinstance(request := next_request(), protocol.GoOn):
                    if isinstance(request, protocol.Hold):
                        say(protocol.CaptureRests())
                    elif isinstance(request, protocol.TryAgain):
                        wanted += [one for one in job.addresses if one.url in request.keys]
            do(address, number, keeper, journal, address.url in todo.again or wanted.count(address) > 1)
            if MODE == "die":
                os.kill(os.getpid(), signal.SIGKILL)
        if MODE == "wait":
            while True:
                next_request()
        journal.write(Line(at=AT))
    say(protocol.CaptureEnded())


main()
