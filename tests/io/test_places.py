"""Where the user's library is."""

from __future__ import annotations

from pathlib import Path

from firstlight.io.places import user_folder


def test_the_users_word_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path / "mine"))
    assert user_folder() == tmp_path / "mine"
    monkeypatch.delenv("FIRSTLIGHT_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "firstlight"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert user_folder() == Path.home() / ".local" / "share" / "firstlight"
