"""What is in a file, as one short word."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from firstlight.io.mapping import CannotMap, Piece, mapped


def content_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 (hexadecimal) of a file's bytes: equal bytes, equal word, wherever the file lies.

    Processors have instructions for it: 1.8 GB/s, twice as fast as BLAKE2b.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     content_hash(file.name)
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


QUICK_HASH = "xxh128"
"""Name of `known_hash` in records; ``xxh128sum`` and ``xxhsum -H2`` give the same."""


def known_hash(path: str | os.PathLike[str]) -> str:
    """XXH3 with 128 bits (hexadecimal), worked out once in a process for a file of this size and time of change.

    It tells files apart and finds damage at the speed at which they are read, five times that of `content_hash`; it is
    no seal against forgery.
    """
    status = os.stat(path)
    return _hash_of(os.fspath(path), status.st_size, status.st_mtime_ns)


AT_ONCE = 32 * 2**20
"""Bytes of a file that are mapped at once."""


@functools.lru_cache(maxsize=65536)
def _hash_of(path: str, size: int, mtime: int) -> str:
    import xxhash

    digest = xxhash.xxh3_128()
    pieces = [Piece(Path(path), start, min(AT_ONCE, size - start)) for start in range(0, size, AT_ONCE)]
    try:
        for piece in pieces:
            with mapped([piece]) as (memory, (first,)):
                digest.update(memory[first : first + piece.size])
        return digest.hexdigest()
    except CannotMap:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()
