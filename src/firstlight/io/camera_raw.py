"""Camera raw (CR2, CR3, NEF, ARW, RAF, DNG ...) through LibRaw, in a child process with a time limit."""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.cards import Card
from firstlight.io.frame import Frame
from firstlight.io.header import meta_from_header

TIME_LIMIT = 60.0
"""Seconds a raw file may take; a 60 Mpx file takes 2."""


def open_raw(path: Path) -> list[Frame]:
    """A raw file as a list of one frame: the active pixels of the mosaic, black level subtracted by ``zero``.

    Nothing is white-balanced or colour-converted; black levels, multipliers of the camera and for daylight, and the
    colour matrix come along as cards (``BLACK_R``, ``WBCAM_R``, ``WBDAY_R``, ``CAMXYZ11`` ...), where they are known.

    Raises
    ------
    FrameError
        LibRaw cannot decode the file, crashes or hangs on it, or the sensor has no 2 x 2 Bayer pattern.
    """
    answer, _ = _ask(path, pixels=False)
    height, width = answer["shape"]
    colors = answer["colors"]
    mono = answer["n_colors"] == 1
    cell = colors[0][:2] + colors[1][:2]
    if not mono and any(row != (cell[:2], cell[2:])[y % 2] * 3 for y, row in enumerate(colors) if len(row) == 6):
        raise FrameError(
            f"{path.name}: its sensor has no 2 x 2 Bayer pattern (X-Trans?), which cannot be debayered; "
            "convert the files to colour TIFF by another program"
        )
    cards: list[Card] = [tuple(card) for card in answer["tags"]]  # type: ignore[misc]
    given = {card[0] for card in cards}
    other = answer["other"]
    for keyword, name in (
        ("EXPTIME", "shutter_speed"),
        ("ISOSPEED", "iso_speed"),
        ("FOCALLEN", "focal_length"),
        ("FNUMBER", "aperture"),
    ):
        value = other[name]
        if keyword not in given and math.isfinite(value) and 0 < value < 1e6:
            cards.append((keyword, value, "LibRaw"))
    if mono:
        cards += [("BLACK_M", level, "[adu] black level") for level in answer["black"][:1]]
    else:
        cards += [("BAYERPAT", cell, "LibRaw"), *_colour_cards(answer)]
    shape = (1, height, width)
    meta = meta_from_header(cards, path, shape)
    notes = list(meta.notes)
    if meta.start is None and (local := next((c[1] for c in cards if c[0] == "DATE-LOC"), None)):
        notes.append(f"the camera's clock says {local} without its offset from UTC: the start is not known")
    black = min(answer["black"], default=0.0)
    if len(set(answer["black"])) > 1:
        notes.append(f"the colours' black levels differ ({answer['black']} adu); the lowest is subtracted from all")
    sources = {**meta.sources, "saturation": "LibRaw"}
    meta = meta.replace(saturation=answer["white"] - black, sources=sources, notes=tuple(notes))
    return [Frame(path, shape, np.dtype(answer["dtype"]), meta, RawSource(path, shape), zero=-black if black else 0.0)]


def _colour_cards(answer: dict[str, Any]) -> list[Card]:
    """What a file says of its colours; LibRaw's order is red, green beside red, blue, green beside blue."""
    cards: list[Card] = [
        (f"BLACK_{name}", level, f"[adu] black level of {what}")
        for name, what, level in zip(
            ("R", "G1", "B", "G2"), ("red", "green beside red", "blue", "green beside blue"), answer["black"]
        )
    ]
    for prefix, key, what in (("WBCAM", "camera", "the camera chose"), ("WBDAY", "daylight", "daylight")):
        gains = answer[key][:3]
        if all(math.isfinite(gain) and gain > 0 for gain in gains):
            # Six digits: they come from float32.
            cards += [
                (f"{prefix}_{name}", float(f"{gain / gains[1]:.6g}"), f"white balance, {what}; green is 1")
                for name, gain in zip("RGB", gains)
            ]
    matrix = answer["matrix"][:9]
    if any(matrix):
        cards += [
            (f"CAMXYZ{i // 3 + 1}{i % 3 + 1}", float(f"{v:.6g}"), f"{'RGB'[i // 3]} of the camera from {'XYZ'[i % 3]}")
            for i, v in enumerate(matrix)
        ]
    return cards


@dataclass(frozen=True)
class RawSource:
    """Pixels of a raw file, decoded whole."""

    path: Path
    shape: tuple[int, int, int]

    def rows(self, top: int, bottom: int) -> np.ndarray:
        _, pixels = _ask(self.path, pixels=True)
        return pixels[None, top:bottom]  # type: ignore[index]

    def check(self) -> None:
        pass

    def planes(self) -> tuple[None, None]:
        return None, None


class _Worker:
    """A child process that answers one request after the other."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "firstlight.io.raw_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, path: Path, pixels: bool, limit: float) -> tuple[dict[str, Any], np.ndarray | None]:
        late = threading.Event()
        timer = threading.Timer(limit, lambda: (late.set(), self.process.kill()))
        timer.start()
        try:
            request = {"path": str(path.absolute()), "pixels": pixels}
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            answer = json.loads(self._read(int.from_bytes(self._read(8), "little")))
            if "error" in answer or not pixels:
                return answer, None
            shape, dtype = answer["shape"], np.dtype(answer["dtype"])
            return answer, np.frombuffer(self._read(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)
        except (EOFError, BrokenPipeError) as error:
            self.close()
            what = f"took longer than {limit:.0f} s" if late.is_set() else "made the raw decoder crash"
            raise FrameError(f"{path.name}: {what}: the file is broken; copy it again from the card") from error
        finally:
            timer.cancel()

    def _read(self, count: int) -> bytes:
        content = self.process.stdout.read(count)  # type: ignore[union-attr]
        if len(content) < count:
            raise EOFError
        return content

    def close(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self.process.wait()


_idle: list[_Worker] = []
_lock = threading.Lock()


def _ask(path: Path, *, pixels: bool) -> tuple[dict[str, Any], np.ndarray | None]:
    """One request to an idle child, or to a new one: as many live as threads ask at a time."""
    with _lock:
        worker = _idle.pop() if _idle else None
    worker = worker or _Worker()
    answer, data = worker.ask(path, pixels, TIME_LIMIT)
    with _lock:
        _idle.append(worker)
    if "error" in answer:
        raise FrameError(
            f"{path.name}: cannot be decoded as camera raw: {answer['error']}; it is broken, or too new a camera"
        )
    return answer, data


@atexit.register
def _close_all() -> None:
    with _lock:
        for worker in _idle:
            worker.close()
        _idle.clear()


def _forget() -> None:
    # After a fork the parent's children are not ours: their pipes would carry two conversations.
    global _lock
    _lock = threading.Lock()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
