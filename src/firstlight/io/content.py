"""What is in a file, as one short word."""

from __future__ import annotations

import functools
import hashlib
import os

from firstlight.io.remembered import remember, remembered, stamp_of


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
    """XXH3 with 128 bits (hexadecimal) of a file, remembered from run to run (`firstlight.io.remembered`).

    It tells files apart and finds damage at the speed at which they are read, five times that of `content_hash`; it is
    no seal against forgery. What is to be proved about the bytes of now is asked of `fresh_hash`.
    """
    status = os.stat(path)
    stamp = stamp_of(status)
    word = remembered(stamp)
    if word is None:
        word = fresh_hash(path)
        remember(stamp, word, changed=max(status.st_mtime_ns, status.st_ctime_ns))
    return word


def fresh_hash(path: str | os.PathLike[str]) -> str:
    """The same, worked out from the bytes, once in a process for a file of this size and time of change."""
    status = os.stat(path)
    return _hash_of(os.fspath(path), status.st_size, status.st_mtime_ns)


AT_ONCE = 2**18
"""Bytes of a file that are read at once: they lie in the cache, and a file that is cut meanwhile ends early, where one
that is mapped would end the process."""


@functools.lru_cache(maxsize=65536)
def _hash_of(path: str, size: int, mtime: int) -> str:
    import xxhash

    digest, buffer = xxhash.xxh3_128(), memoryview(bytearray(min(AT_ONCE, max(size, 1))))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()
