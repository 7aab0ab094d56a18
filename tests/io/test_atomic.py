"""Files that are whole or not there, and what is said where they cannot be."""

from __future__ import annotations

import errno
import os

import pytest

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path


def write_half(target, number):
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"half")
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EFBIG, "larger than this disk takes in one file .* FAT32"),
        (errno.EIO, "cannot be written: "),
        (errno.EROFS, "cannot be written: "),
    ],
)
def test_a_disk_that_takes_no_more_is_told_and_the_old_file_stands(tmp_path, number, words):
    target = tmp_path / "stack.fits"
    target.write_bytes(b"old")
    with pytest.raises(InputError, match=rf"stack\.fits: {words}"):
        write_half(target, number)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["stack.fits"]


@pytest.mark.parametrize(
    "text", ["1000 requested and 0 written", "Not enough space on disk: requested 22184, available 0."]
)
def test_a_full_disk_that_is_told_without_its_number(tmp_path, text):
    def write():
        with atomic_path(tmp_path / "stars.fits") as temporary:
            temporary.write_bytes(bytes(2000))
            raise OSError(text)

    with pytest.raises(InputError, match="the disk is full after 2 kB of this file"):
        write()
    assert not list(tmp_path.iterdir())
