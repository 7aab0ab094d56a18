"""Parts of files side by side in memory, without a copy."""

import errno
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from firstlight.io import content, mapping
from firstlight.io.mapping import CannotMap, Piece, mapped, watched
from firstlight.pipeline.executors import outcome

pytestmark = pytest.mark.skipif(not mapping._able(), reason="files are mapped on 64-bit Linux from 5.14 on")


@contextmanager
def beside(work, *arguments):
    """Work in another thread, while this one watches."""
    with ThreadPoolExecutor(1) as pool, watched():
        yield pool.submit(work, *arguments)


def look(pieces, meanwhile=lambda: None):
    with mapped(pieces) as (memory, starts):
        meanwhile()
        return [memory[start : start + piece.size].copy() for start, piece in zip(starts, pieces)], starts


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
    open_files = []
    with beside(look, pieces, lambda: open_files.append(len(os.listdir("/proc/self/fd")))) as looking:
        shown, starts = outcome(looking)
    assert open_files == [before]
    for start, piece, seen, data in zip(starts, pieces, shown, held):
        np.testing.assert_array_equal(seen, data)
        # Rows of float32 keep their alignment.
        assert start % 4 == piece.offset % 4


def test_what_cannot_be_mapped_says_so(tmp_path):
    short = tmp_path / "short.bin"
    short.write_bytes(bytes(100))
    for path, code in ((short, errno.ENODATA), (tmp_path / "absent", errno.ENOENT)):
        with beside(look, [Piece(path, 50, 100)]) as looking, pytest.raises(CannotMap) as caught:
            outcome(looking)
        assert caught.value.errno == code


@pytest.mark.parametrize("left", [0, 5_000_000])
def test_a_file_that_is_cut_while_it_is_shown_says_so(tmp_path, left):
    before = signal.getsignal(signal.SIGBUS)
    whole, cut = tmp_path / "whole.bin", tmp_path / "cut.bin"
    for path in (whole, cut):
        path.write_bytes(np.random.default_rng(2).bytes(9_000_000))
    pieces = [Piece(whole, 0, 9_000_000), Piece(cut, 0, 9_000_000)]
    for _ in range(2):
        with beside(look, pieces, lambda: os.truncate(cut, left)) as looking, pytest.raises(CannotMap) as caught:
            outcome(looking)
        assert caught.value.errno == errno.EIO
        assert caught.value.filename == str(cut)
        cut.write_bytes(whole.read_bytes())
    with beside(look, pieces) as looking:
        np.testing.assert_array_equal(*outcome(looking)[0])
    assert signal.getsignal(signal.SIGBUS) == before


def test_nothing_is_mapped_where_nobody_watches(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(100))
    with ThreadPoolExecutor(1) as pool, pytest.raises(CannotMap):
        pool.submit(look, [Piece(path, 0, 100)]).result()
    with watched(), pytest.raises(CannotMap):
        look([Piece(path, 0, 100)])


def test_the_hash_of_a_file_does_not_depend_on_how_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(np.random.default_rng(2).bytes(1_000_000))
    told = content.known_hash(path)
    content._hash_of.cache_clear()
    monkeypatch.setattr(content, "AT_ONCE", 4096 * 7)
    assert content.known_hash(path) == told
