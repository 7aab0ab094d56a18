"""Hashes that are remembered from run to run."""

from __future__ import annotations

import os

import pytest

from firstlight.io import content, remembered
from firstlight.io.content import fresh_hash, known_hash

LONG_AGO = 10**18


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A memory of its own, and how to begin a new run."""
    monkeypatch.setattr(remembered, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(remembered, "SETTLED", 0)

    def new_run():
        remembered._known.cache_clear()
        content._hash_of.cache_clear()

    new_run()
    yield new_run
    remembered._known.cache_clear()


def test_a_file_is_read_once(tmp_path, memory, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    word = known_hash(path)
    memory()
    monkeypatch.setattr(content, "_hash_of", lambda *status: pytest.fail("read again"))
    assert known_hash(path) == word
    # Another name for the same file.
    path.rename(tmp_path / "b")
    assert (tmp_path / "cache" / "hashes.txt").read_text().count("\n") == 1


def test_other_content_of_the_same_size_and_time(tmp_path, memory):
    """What was changed and its time set back: the time of that change is the system's own."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    word = known_hash(path)
    memory()
    path.write_bytes(b"two")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    assert known_hash(path) != word
    memory()
    assert known_hash(path) == fresh_hash(path)


def test_what_changed_a_moment_ago_is_not_remembered(tmp_path, memory, monkeypatch):
    monkeypatch.setattr(remembered, "SETTLED", 10**12)
    path = tmp_path / "a"
    path.write_bytes(b"one")
    known_hash(path)
    assert not (tmp_path / "cache" / "hashes.txt").exists()


def test_a_damaged_or_forbidden_memory_is_done_without(tmp_path, memory):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    place = tmp_path / "cache" / "hashes.txt"
    place.parent.mkdir()
    place.write_bytes(b"\xff\n1 2 3\nhalf a li")
    assert known_hash(path) == fresh_hash(path)
    place.unlink()
    place.mkdir()
    memory()
    assert known_hash(path) == fresh_hash(path)


def test_the_older_half_goes(tmp_path, memory, monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 1000)
    for i in range(30):
        path = tmp_path / str(i)
        path.write_bytes(bytes([i]))
        known_hash(path)
    memory()
    known_hash(path)
    lines = (tmp_path / "cache" / "hashes.txt").read_bytes().splitlines()
    assert 10 <= len(lines) <= 20
    assert lines[-1].endswith(fresh_hash(path).encode())
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["hashes.txt"]
