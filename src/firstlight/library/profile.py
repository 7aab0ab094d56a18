"""What was measured of a detector, kept for every later session: one TOML file for each of its settings."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from firstlight.errors import InputError
from firstlight.io.places import user_folder
from firstlight.io.table_files import read_table, write_toml
from firstlight.library.plans import slug
from firstlight.model.meta import Meta

FOLDER = "detectors"
KEY = ("camera", "serial", "gain_setting", "offset", "readout_mode", "binning")
"""Fields of `Meta` that tell one setting of one detector from another."""
HEADING = """What firstlight measured of a detector. `firstlight detector` writes this file; you may edit or delete it.
gain in e-/adu, read_noise in e-, saturation, bias and full wells in adu or e- as named, times in s, degrees C."""


@dataclass(frozen=True)
class DetectorProfile:
    """The numbers of one detector at one gain, offset, readout mode and binning; None where they were not measured."""

    camera: str | None
    gain: float | None = None
    """e-/adu, mean of the colours."""
    gain_error: float | None = None
    read_noise: float | None = None
    """e-."""
    read_noise_error: float | None = None
    serial: str | None = None
    gain_setting: float | None = None
    offset: float | None = None
    readout_mode: str | None = None
    binning: tuple[int, int] = (1, 1)
    bias_level: float | None = None
    """adu."""
    saturation: float | None = None
    """adu, in the numbers of the file."""
    full_well: float | None = None
    """e-."""
    dark_current: float | None = None
    """e-/s of a typical pixel at `dark_temperature`."""
    dark_temperature: float | None = None
    """Degrees C."""
    doubling_temperature: float | None = None
    """Degrees C that double the dark current."""
    linearity_second: float | None = None
    """1/adu: `cal:linearity`."""
    linearity_third: float | None = None
    """1/adu^2."""
    gains: dict[str, float] = field(default_factory=dict)
    """e-/adu of each colour."""
    read_noises: dict[str, float] = field(default_factory=dict)
    """e- of each colour."""
    measured: str | None = None
    """Date of the last of its frames."""

    @property
    def file_name(self) -> str:
        """Camera and settings: ``ZWO_ASI2600MM_gain100_offset50.toml``."""
        parts = [slug(self.camera) or "camera"]
        parts += [slug(str(self.serial))] if self.serial else []
        parts += [f"gain{self.gain_setting:g}"] if self.gain_setting is not None else []
        parts += [f"offset{self.offset:g}"] if self.offset is not None else []
        parts += [slug(self.readout_mode)] if self.readout_mode else []
        parts += [f"bin{self.binning[0]}x{self.binning[1]}"] if self.binning != (1, 1) else []
        return "_".join(parts) + ".toml"

    def contradicts(self, meta: Meta) -> str | None:
        """The first field of the key in which a frame differs, as words; None where the profile is the frame's.

        What only one side names is no contradiction, but for the gain setting and the binning.
        """
        if not self.camera or not meta.camera or self.camera != meta.camera:
            return f"camera {self.camera} against {meta.camera}"
        for name in KEY[1:]:
            mine, theirs = getattr(self, name), getattr(meta, name)
            if mine == theirs or (name not in ("gain_setting", "binning") and (mine is None or theirs is None)):
                continue
            return f"{name.replace('_', ' ')} {mine} against {theirs}"
        return None


def write_profile(profile: DetectorProfile, folder: Path | None = None) -> Path:
    """Write a profile into the user's library (or a folder of ours) under its own name; an older one is replaced."""
    values = {key: value for key, value in asdict(profile).items() if value is not None and value != {}}
    path = (folder or user_folder() / FOLDER) / profile.file_name
    written = write_toml(path, values, HEADING)
    _profiles.cache_clear()
    return written


def read_profile(path: str | os.PathLike[str]) -> DetectorProfile:
    """Read one profile.

    Raises
    ------
    InputError
        It cannot be read, names something unknown, or a number is not one or not above 0.
    """
    values = read_table(path)
    known = {f.name for f in fields(DetectorProfile)}
    for key in values:
        if key not in known:
            raise InputError(f"{path}: {key!r} is not known; {', '.join(sorted(known))} are; correct it there")
    for key in ("gain", "read_noise", "saturation", "full_well"):
        value = values.get(key)
        if value is not None and not (_is_number(value) and value > 0):
            raise InputError(f"{path}: {key} is {value!r}; a number above 0 is allowed; correct it there")
    if "binning" in values:
        values["binning"] = _binning(path, values["binning"])
    if not isinstance(values.get("camera"), str):
        raise InputError(f'{path}: names no camera; write camera = "...", as INSTRUME says it')
    return DetectorProfile(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _binning(path: str | os.PathLike[str], value: Any) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, int) and v > 0 for v in value):
        return (value[0], value[1])
    raise InputError(f"{path}: binning is {value!r}; two whole numbers are allowed, such as [1, 1]")


def known_profiles(folder: Path | None = None) -> dict[Path, DetectorProfile]:
    """All profiles of the user's library (or another folder), by file, in order of name."""
    folder = folder or user_folder() / FOLDER
    if not folder.is_dir():
        return {}
    files = sorted(folder.glob("*.toml"))
    return _profiles(tuple((path, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=4)
def _profiles(files: tuple[tuple[Path, int], ...]) -> dict[Path, DetectorProfile]:
    return {path: read_profile(path) for path, _ in files}


def profile_of(meta: Meta, folder: Path | None = None) -> tuple[Path, DetectorProfile] | None:
    """The profile of the detector and the settings that a header names; of several the one that names most alike."""
    best: tuple[int, str] | None = None
    chosen = None
    for path, profile in known_profiles(folder).items():
        if profile.contradicts(meta) is None:
            alike = sum(getattr(profile, n) is not None and getattr(profile, n) == getattr(meta, n) for n in KEY)
            if best is None or (-alike, path.name) < best:
                best, chosen = (-alike, path.name), (path, profile)
    return chosen
