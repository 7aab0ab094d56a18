"""Finished results of a run in one SQLite file, by key: what a step found, and what the bytes of the inputs are.

It only saves time: the file may be deleted at any time, a damaged one is made anew, and one that cannot be written is
done without.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.io.content import known_hash

KEPT_RUNS = 5
"""A result that so many runs did not ask for is let go."""
_LAYOUT = """
CREATE TABLE IF NOT EXISTS hashes (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, word TEXT);
CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, kind TEXT, used INTEGER, content BLOB);
CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY);
"""


class Results:
    """A store of small results; safe among the threads of a run.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Results(Path(folder, "results.sqlite"))
    ...     store.put("abc", "stars", pack({"x": np.arange(3.0)}, {"n": 3}))
    ...     arrays, facts = unpack(store.get("abc"))
    ...     store.close()
    >>> arrays["x"].tolist(), facts
    ([0.0, 1.0, 2.0], {'n': 3})
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._base = self._open()
        self._hashes: dict[str, tuple[int, int, str]] = {}
        self._used: set[str] = set()
        self.number = 1
        self._try(self._begin)

    @classmethod
    def nowhere(cls) -> Results:
        """A store that holds and keeps nothing."""
        store = cls.__new__(cls)
        store.path, store.number, store._base = Path(os.devnull), 1, None
        store._lock, store._hashes, store._used = threading.Lock(), {}, set()
        return store

    def get(self, key: str) -> bytes | None:
        """What was kept under this key, or None."""

        def look(base: sqlite3.Connection) -> bytes | None:
            row = base.execute("SELECT content FROM results WHERE key = ?", (key,)).fetchone()
            return None if row is None else row[0]

        content = self._try(look)
        if content is not None:
            self._used.add(key)
        return content

    def has(self, key: str) -> bool:
        """Whether something is kept under this key."""
        look = "SELECT 1 FROM results WHERE key = ?"
        return bool(self._try(lambda base: base.execute(look, (key,)).fetchone()))

    def put(self, key: str, kind: str, content: bytes) -> None:
        """Keep a result; without room or permission it is not kept, and nothing else happens."""
        row = (key, kind, self.number, content)
        self._try(lambda base: base.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", row))

    def hash_of(self, path: str | os.PathLike[str]) -> str:
        """`known_hash` of a file, remembered from run to run as long as its size and time of change stand."""
        name = os.fspath(path)
        status = os.stat(name)
        stamp = (status.st_size, status.st_mtime_ns)
        known = self._hashes.get(name)
        if known is not None and known[:2] == stamp:
            return known[2]
        word = known_hash(name)
        self._hashes[name] = (*stamp, word)
        self._try(lambda base: base.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", (name, *stamp, word)))
        return word

    def knows(self, path: str | os.PathLike[str]) -> bool:
        """Whether the content of this file is known without reading it."""
        name = os.fspath(path)
        status = os.stat(name)
        return self._hashes.get(name, ())[:2] == (status.st_size, status.st_mtime_ns)

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Size and time of change of every file whose content is known."""
        return {path: (size, mtime) for path, (size, mtime, _) in self._hashes.items()}

    def finish(self) -> None:
        """The run is whole: results that the last runs did not ask for go."""

        def settle(base: sqlite3.Connection) -> None:
            marks = [(self.number, key) for key in self._used]
            base.executemany("UPDATE results SET used = ? WHERE key = ?", marks)
            base.execute("DELETE FROM results WHERE used <= ?", (self.number - KEPT_RUNS,))
            base.execute("INSERT OR REPLACE INTO runs VALUES (?)", (self.number,))

        self._try(settle)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._base is not None:
                self._base.close()
                self._base = None

    def _begin(self, base: sqlite3.Connection) -> None:
        self.number = (base.execute("SELECT MAX(number) FROM runs").fetchone()[0] or 0) + 1
        self._hashes = {path: (size, mtime, word) for path, size, mtime, word in base.execute("SELECT * FROM hashes")}

    def _open(self) -> sqlite3.Connection | None:
        for _ in range(2):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                base = sqlite3.connect(self.path, timeout=10, check_same_thread=False, isolation_level=None)
                # A killed process loses nothing; what a failing machine leaves is checked when it is read.
                base.execute("PRAGMA journal_mode=WAL")
                base.execute("PRAGMA synchronous=OFF")
                base.executescript(_LAYOUT)
            except (sqlite3.OperationalError, OSError):
                return None
            except sqlite3.DatabaseError:
                self._remove()
            else:
                return base
        return None

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    def _try(self, ask: Callable[[sqlite3.Connection], Any]) -> Any:
        with self._lock:
            if self._base is None:
                return None
            try:
                return ask(self._base)
            except sqlite3.Error:
                return None


def pack(arrays: Mapping[str, np.ndarray], facts: Any = None) -> bytes:
    """Arrays by name and anything JSON can hold, as bytes that tell whether they are whole."""
    flat = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    head = {"facts": facts, "arrays": [[name, a.dtype.str, list(a.shape)] for name, a in flat.items()]}
    text = json.dumps(head).encode()
    body = b"".join([len(text).to_bytes(4, "little"), text, *(a.tobytes() for a in flat.values())])
    return zlib.crc32(body).to_bytes(4, "little") + body


def unpack(content: bytes) -> tuple[dict[str, np.ndarray], Any]:
    """What `pack` put together; the arrays may not be written to.

    Raises
    ------
    ValueError
        The bytes are damaged.
    """
    if len(content) < 8 or zlib.crc32(memoryview(content)[4:]) != int.from_bytes(content[:4], "little"):
        raise ValueError("a kept result is damaged")
    start = 8 + int.from_bytes(content[4:8], "little")
    head = json.loads(content[8:start])
    arrays = {}
    for name, dtype, shape in head["arrays"]:
        n = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(content, dtype, n, start).reshape(shape)
        start += n * np.dtype(dtype).itemsize
    return arrays, head["facts"]


def pack_indices(indices: np.ndarray) -> dict[str, np.ndarray]:
    """Indices that mostly rise by little, as one byte each: steps of 255 and more, and falls, stand beside.

    >>> [a.tolist() for a in pack_indices(np.array([3, 5, 900, 2], np.int32)).values()]
    [[3, 2, 255, 255], [895, -898]]
    """
    steps = np.diff(indices, prepend=np.int32(0)).astype(np.int32)
    is_far = (steps < 0) | (steps >= 255)
    return {"near": np.where(is_far, 255, steps).astype(np.uint8), "far": steps[is_far]}


def unpack_indices(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """What `pack_indices` was given, int32.

    >>> unpack_indices(*pack_indices(np.array([3, 5, 900, 2], np.int32)).values()).tolist()
    [3, 5, 900, 2]
    """
    steps = near.astype(np.int32)
    steps[near == 255] = far
    return np.cumsum(steps, dtype=np.int32)
