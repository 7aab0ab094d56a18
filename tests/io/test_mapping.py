"""Parts of files side by side in memory, without a copy."""

import errno
import os

import numpy as np
import pytest

from firstlight.io import content, mapping
from firstlight.io.mapping import CannotMap, Piece, mapped

pytestmark = pytest.mark.skipif(not mapping._able(), reason="files are mapped on 64-bit Linux from 5.14 on")


def test_pieces_are_what_the_files_hold(tmp_path):
    rng = np.random.default_rng(1)
    pieces, held = [], []
    for k, (size, offset, length) in enumerate(
        [(100, 0, 100), (50_000, 2880, 9000), (9000, 8999, 1), (8192, 4096, 4096)]
    ):
        data = rng.integers(0, 256, size, np.uint8)
        path = tmp_path / f"{k}.bin"
        path.write_bytes(data.tobytes())
        pieces.append(Piece(path, offset, length))
        held.append(data[offset : offset + length])
    before = len(os.listdir("/proc/self/fd"))
    with mapped(pieces) as (memory, starts):
        assert len(os.listdir("/proc/self/fd")) == before
        for start, piece, data in zip(starts, pieces, held):
            np.testing.assert_array_equal(memory[start : start + piece.size], data)
            # Rows of float32 keep their alignment.
            assert start % 4 == piece.offset % 4


def test_what_cannot_be_mapped_says_so(tmp_path):
    short = tmp_path / "short.bin"
    short.write_bytes(bytes(100))
    for path, code in ((short, errno.ENODATA), (tmp_path / "absent", errno.ENOENT)):
        with pytest.raises(CannotMap) as caught, mapped([Piece(path, 50, 100)]):
            pass
        assert caught.value.errno == code


def test_a_file_that_cannot_be_mapped_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(np.random.default_rng(2).bytes(1_000_000))
    told = content.known_hash(path)
    content._hash_of.cache_clear()
    monkeypatch.setattr(mapping, "_able", lambda: False)
    assert content.known_hash(path) == told
    content._hash_of.cache_clear()
    monkeypatch.undo()
    monkeypatch.setattr(content, "AT_ONCE", 4096 * 7)
    assert content.known_hash(path) == told
