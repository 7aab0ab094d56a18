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
