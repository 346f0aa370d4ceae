from __future__ import annotations

from pathlib import Path

from desktop.children.log_file import LogFile


def test_a_full_log_is_turned_over_and_the_oldest_dropped(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "engine.log", limit=10, keep=3)
    for text in (b"first......", b"second.....", b"third......", b"fourth.....", b"now"):
        log.write(text)
    assert (tmp_path / "logs" / "engine.log").read_bytes() == b"now"
    assert (tmp_path / "logs" / "engine.log.1").read_bytes() == b"fourth....."
    assert (tmp_path / "logs" / "engine.log.2").read_bytes() == b"third......"
    assert len(list((tmp_path / "logs").iterdir())) == 3


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    log = LogFile(tmp_path / "logs" / "engine.log")
    log.write(b"lost")
    assert log.tail() == ""


def test_a_note_carries_the_time(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "engine.log")
    log.note("Starting.")
    assert log.tail().startswith("[20")
    assert log.tail().endswith("] Starting.\n")
