"""Hashes of files that were read in earlier runs: to read 60 frames once more takes a fifth of the time of their stack.

A file is known by what the system says of it: where it lies, its size, and when its content and its entry in the folder
last changed. Nobody but the administrator can change the content and keep all of these. The file of this memory may
be deleted at any time; one that cannot be read or written is done without.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path
from threading import Lock

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.places import cache_folder

SETTLED = 2 * 10**9
"""Nanoseconds. A file that changed a moment ago may change again within one tick of the clock of its file system."""
MOST = 2**22
"""Bytes of the memory, 40,000 files; beyond, the older half goes."""
_lock = Lock()


def stamp_of(status: os.stat_result) -> bytes:
    """What a file is known by."""
    return ":".join(
        str(each) for each in (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    ).encode()


def remembered(stamp: bytes) -> str | None:
    """The hash of the file of this stamp; None: it has not been read yet."""
    with _lock:
        word = _known(_place()).get(stamp)
    return None if word is None else word.decode()


def remember(stamp: bytes, word: str, changed: int) -> None:
    """Keep the hash of a file that last changed then (ns since 1970), unless that was a moment ago."""
    if time.time_ns() - changed < SETTLED:
        return
    place = _place()
    with _lock:
        _known(place)[stamp] = word.encode()
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            # One short write at the end of a file: those of several programs do not mix.
            with open(place, "ab", buffering=0) as file:
                file.write(stamp + b" " + word.encode() + b"\n")
        except OSError:
            pass


def _place() -> Path:
    return cache_folder() / "hashes.txt"


@lru_cache(maxsize=2)
def _known(place: Path) -> dict[bytes, bytes]:
    try:
        text = place.read_bytes()
        if len(text) > MOST:
            text = text[text.index(b"\n", len(text) // 2) + 1 :]
            with atomic_path(place) as aside:
                aside.write_bytes(text)
    except (InputError, OSError, ValueError):
        return {}
    pairs = (line.split(b" ") for line in text.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and len(pair[1]) == 32}
