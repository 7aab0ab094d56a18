"""Progress where there is no terminal: plain lines."""

import time

from firstlight.cli.progress import TerminalProgress


def test_the_first_piece_foretells_nothing(monkeypatch, capsys):
    """It may have waited half a minute for the compiler: then 513 s were said to be left of two."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = TerminalProgress()
    progress.begin("measure", 6, "lights")
    for seconds in (30, 11, 11):
        now[0] += seconds
        progress.advance()
    progress.end()
    assert capsys.readouterr().err.splitlines() == [
        "measure: 17 %",
        "measure: 33 %, 0.1 lights/s, 44 s left",
        "measure: 50 %, 0.1 lights/s, 33 s left",
    ]
