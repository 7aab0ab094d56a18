"""Files packed as a whole are unpacked once, as long as they stay what they were."""

import gzip

import pytest

from firstlight.errors import FrameError
from firstlight.io import packed


@pytest.fixture
def counted(monkeypatch):
    calls = []
    unpack = packed._unpacked
    monkeypatch.setattr(packed, "_unpacked", lambda path: calls.append(path) or unpack(path))
    packed.forget()
    yield calls
    packed.forget()


def test_the_last_file_is_unpacked_once(tmp_path, counted):
    one, two = tmp_path / "one.gz", tmp_path / "two.gz"
    one.write_bytes(gzip.compress(b"one"))
    two.write_bytes(gzip.compress(b"two"))
    assert [packed.unpack(path) for path in (one, one, two, two, one)] == [b"one", b"one", b"two", b"two", b"one"]
    assert counted == [one, two, one]


def test_a_file_that_was_replaced_is_unpacked_anew(tmp_path, counted):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"before"))
    assert packed.unpack(path) == b"before"
    path.write_bytes(gzip.compress(b"after it"))
    assert packed.unpack(path) == b"after it"


def test_a_broken_file_is_not_taken_for_the_one_before(tmp_path, counted):
    good, cut = tmp_path / "good.gz", tmp_path / "cut.gz"
    good.write_bytes(gzip.compress(b"good" * 100))
    cut.write_bytes(good.read_bytes()[:-9])
    assert packed.unpack(good) == b"good" * 100
    for _ in range(2):
        with pytest.raises(FrameError, match=r"cut\.gz: its packing is broken or cut short"):
            packed.unpack(cut)
