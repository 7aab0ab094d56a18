"""The masters of a folder in one SQLite file: what each is, what it was made of, and whether it is whole.

The FITS files are the library; the index only saves looking into them again. It may be deleted or damaged at any time.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.errors import FrameError, InputError
from firstlight.io.checksum import verify_file
from firstlight.io.frame import Frame
from firstlight.io.index import FORMAT, decode_frames, encode_frames
from firstlight.io.read import open_frames
from firstlight.io.write import read_provenance

_TABLE = (
    "CREATE TABLE IF NOT EXISTS masters (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, frames TEXT, record TEXT, "
    "damage TEXT, seal TEXT)"
)


@dataclass(frozen=True, eq=False)
class Shelved:
    """A file of the library."""

    path: Path
    frame: Frame | None
    """None where the file cannot be used."""
    record: dict[str, Any]
    """What it was made of; empty for a master of another program."""
    damage: str = ""
    """Why it cannot be used."""


class MasterIndex:
    """Masters by path, size and time of change; safe with several processes at once."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def look(self, paths: Sequence[Path]) -> list[Shelved]:
        """Every file as it is now: from the index where nothing changed, else opened and its checksums verified."""
        known = self._load()
        found: list[Shelved] = []
        rows: list[tuple[Any, ...]] = []
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            key = (str(path), status.st_size, status.st_mtime_ns)
            shelved = self._from_row(path, known[key]) if key in known else None
            if shelved is None:
                shelved = _open(path)
                frames = "" if shelved.frame is None else encode_frames([shelved.frame]) or ""
                rows.append(_sealed((*key, frames, json.dumps(shelved.record), shelved.damage)))
            found.append(shelved)
        gone = {key[0] for key in known} - {str(path) for path in paths}
        if rows or gone:
            self._store(rows, gone)
        return found

    @staticmethod
    def _from_row(path: Path, row: tuple[str, str, str]) -> Shelved | None:
        frames, record, damage = row
        try:
            if damage:
                return Shelved(path, None, {}, damage)
            (frame,) = decode_frames(path, frames)
            content = json.loads(record)
            return Shelved(path, frame, content) if isinstance(content, dict) else None
        except (KeyError, TypeError, ValueError):
            return None

    def _load(self) -> dict[tuple[str, int, int], tuple[str, str, str]]:
        if not self.path.exists():
            return {}
        try:
            base = self._connect()
            try:
                version = base.execute("SELECT value FROM about WHERE name = 'format'").fetchone()
                if version is None or version[0] != FORMAT:
                    return {}
                rows = base.execute("SELECT path, size, mtime, frames, record, damage, seal FROM masters").fetchall()
                return {row[:3]: row[3:6] for row in rows if row == _sealed(row[:6])}
            finally:
                base.close()
        except sqlite3.Error:
            return {}

    def _store(self, rows: Sequence[tuple[Any, ...]], gone: set[str]) -> None:
        for _ in range(2):
            try:
                self._write(rows, gone)
                return
            except sqlite3.OperationalError:
                # Held by another process for long, or the disk is full or read-only: the index only saves time.
                return
            except sqlite3.DatabaseError:
                if not self._remove():
                    return
            except OSError:
                return

    def _write(self, rows: Sequence[tuple[Any, ...]], gone: set[str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        base = self._connect()
        try:
            base.execute("BEGIN IMMEDIATE")
            base.execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT)")
            base.execute(_TABLE)
            version = base.execute("SELECT value FROM about WHERE name = 'format'").fetchone()
            if version is None or version[0] != FORMAT:
                base.execute("DELETE FROM masters")
                base.execute("INSERT OR REPLACE INTO about VALUES ('format', ?)", (FORMAT,))
            base.executemany("INSERT OR REPLACE INTO masters VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            base.executemany("DELETE FROM masters WHERE path = ?", [(path,) for path in gone])
            base.execute("COMMIT")
        finally:
            base.close()

    def _connect(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        try:
            # Readers and one writer side by side; file systems that cannot do it keep their own way.
            base.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            pass
        except sqlite3.DatabaseError:
            base.close()
            raise
        return base

    def _remove(self) -> bool:
        try:
            for name in (self.path.name, f"{self.path.name}-wal", f"{self.path.name}-shm"):
                self.path.with_name(name).unlink(missing_ok=True)
        except OSError:
            return False
        return True


def _sealed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row with its hash: a byte that was damaged on the disk must not become another exposure."""
    return (*row, hashlib.sha256(repr(row).encode()).hexdigest())


def _open(path: Path) -> Shelved:
    try:
        frame = open_frames(path)[0]
        verify_file(path)
        record = read_provenance(path) if path.suffix.lower() in (".fits", ".fit", ".fts") else None
    except (FrameError, InputError, ValueError) as error:
        return Shelved(path, None, {}, str(error))
    return Shelved(path, frame, record if isinstance(record, dict) else {})
