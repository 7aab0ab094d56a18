"""What was true of a simulated night, kept beside its frames in the hidden folder ``.truth``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import InputError, nearest
from firstlight.model.registration import Transform
from firstlight.simulate.geometry import distort, plate_cards, undistort
from firstlight.simulate.scene import trail_mask
from firstlight.simulate.settings import Night

FOLDER = ".truth"


@dataclass(frozen=True)
class Trail:
    """A satellite's line through (x, y) of the frame at ``angle`` degrees from x towards y."""

    x: float
    y: float
    angle: float
    brightness: float
    """e- per px of length."""
    fwhm: float
    """px."""
    swing: float = 0.0
    period: float = 200.0


@dataclass(frozen=True)
class FrameTruth:
    """What was true of one frame; the sky's fields are 0 or 1 for frames that see none."""

    file: str
    """Path below the night's folder."""
    kind: str
    """light, bias, dark, dark flat or flat."""
    number: int
    """Number within the night; with the seed it makes the frame's random numbers."""
    filter: str
    exposure: float
    """s."""
    start: str
    """UTC, ISO 8601."""
    temperature: float
    """Of the sensor, degrees C."""
    matrix: tuple[tuple[float, float, float], ...]
    """Ideal frame (x, y) to ideal reference (x, y); see `Truth.to_reference`."""
    pier_side: str
    airmass: float
    fwhm: float
    """Geometric mean of both axes of a star, px, before integration over pixels."""
    ellipticity: float
    """1 - short axis / long axis."""
    angle: float
    """Of the long axis, degrees from x towards y."""
    transparency: float
    """Light of a star over that above the air."""
    sky: tuple[float, ...]
    """Coefficients of `firstlight.simulate.scene.sky_coefficients`, e-/s/px in a clear or green pixel; of a flat, those
    of the lamp."""
    trails: tuple[Trail, ...] = ()
    halo: float = 0.0
    """Share of a star's light that dew spreads over a halo."""
    fault: str = ""
    """What was planted (`firstlight.simulate.faults`), in words; empty: nothing."""

    @property
    def sky_level(self) -> float:
        """Mean of the sky over the frame, e-/s/px."""
        return self.sky[0] + (self.sky[3] + self.sky[5]) / 3.0

    @property
    def transform(self) -> Transform:
        """Ideal frame (x, y) to ideal reference (x, y)."""
        return Transform(np.array(self.matrix))


@dataclass(frozen=True, eq=False)
class Truth:
    """The true values of a night. Planes are read from disk when first asked for."""

    folder: Path
    """The folder the night was written to."""
    night: Night
    frames: tuple[FrameTruth, ...]

    def __getitem__(self, name: str | Path) -> FrameTruth:
        """The frame of this file, by its name or its path."""
        wanted = Path(name).name
        for frame in self.frames:
            if Path(frame.file).name == wanted:
                return frame
        known = [Path(frame.file).name for frame in self.frames]
        raise InputError(f"{self.folder}: no frame {wanted!r} in this night{nearest(wanted, known)}")

    def of_kind(self, kind: str) -> tuple[FrameTruth, ...]:
        """Frames of a kind, in the order they were taken."""
        return tuple(frame for frame in self.frames if frame.kind == kind)

    @property
    def lights(self) -> tuple[FrameTruth, ...]:
        """The lights; the first one's geometry is the reference (its matrix is the identity)."""
        return self.of_kind("light")

    def between(self, frame: str | Path, reference: str | Path) -> Transform:
        """The transform of ideal positions from one frame to another."""
        return self[frame].transform.then(self[reference].transform.inverse)

    def to_reference(self, frame: FrameTruth, positions: np.ndarray) -> np.ndarray:
        """Positions (n, 2) seen on a frame to those seen on the reference frame, distortion included."""
        shape, strength = self.night.shape, self.night.telescope.distortion
        return distort(frame.transform(undistort(positions, shape, strength)), shape, strength)

    def star_positions(self, frame: FrameTruth) -> np.ndarray:
        """Positions (n, 2) on a frame of all stars of the table; many lie outside of it."""
        ideal = np.column_stack([self.stars["ideal_x"], self.stars["ideal_y"]])
        return distort(frame.transform.inverse(ideal), self.night.shape, self.night.telescope.distortion)

    @cached_property
    def stars(self) -> dict[str, np.ndarray]:
        """Columns ``x, y`` (seen on the reference frame, px), ``ideal_x, ideal_y`` (without distortion), ``ra, dec``
        (degrees), ``flux`` (e-/s, clear, above the air), ``temperature`` (K), and ``flux_<filter>`` (n, channels)."""
        with np.load(self.folder / FOLDER / "stars.npz", allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    @cached_property
    def bias(self) -> np.ndarray:
        """adu, float32 (y, x)."""
        return self._plane("bias")

    @cached_property
    def dark(self) -> np.ndarray:
        """e-/s at the set temperature, float32 (y, x)."""
        return self._plane("dark")

    @cached_property
    def flat(self) -> np.ndarray:
        """Relative answer to light, mean 1, float32 (y, x)."""
        return self._plane("flat")

    @cached_property
    def hot(self) -> np.ndarray:
        """Flat pixel numbers (row * width + column) of the hot pixels."""
        return self._plane("hot")

    def sky(self, filter_name: str) -> np.ndarray:
        """Stars and nebula without background, as the reference geometry sees them through a perfect sensor.

        e-/s above the air, float32 (channels, y, x), with the seeing of the first light.
        """
        return self._plane(f"sky_{filter_name}")

    def cosmic_rays(self, frame: FrameTruth) -> tuple[np.ndarray, np.ndarray]:
        """Flat pixel numbers hit by cosmic rays, and the charge left there, e-."""
        with np.load(self.folder / FOLDER / "cosmic_rays.npz", allow_pickle=False) as archive:
            return archive[f"pixels_{frame.number}"], archive[f"charge_{frame.number}"]

    def trail_mask(self, frame: FrameTruth, half_width: float = 6.0) -> np.ndarray:
        """Boolean (y, x): within ``half_width`` px of a trail."""
        mask = np.zeros(self.night.shape, bool)
        for t in frame.trails:
            mask |= trail_mask(self.night.shape, t.x, t.y, t.angle, half_width)
        return mask

    @property
    def plate(self) -> dict[str, Any]:
        """WCS cards of the reference geometry (ideal positions)."""
        return plate_cards(self.night)

    def _plane(self, name: str) -> np.ndarray:
        return np.load(self.folder / FOLDER / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def save_truth(
    truth: Truth, planes: dict[str, np.ndarray], stars: dict[str, np.ndarray], rays: dict[str, np.ndarray]
) -> None:
    """Write a night's truth; the frames' list comes last, so that a truth that can be read is whole."""
    folder = truth.folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, plane in planes.items():
        np.save(folder / f"{name}.npy", plane)
    np.savez(folder / "stars.npz", **stars)
    np.savez(folder / "cosmic_rays.npz", **rays)
    text = {
        "night": truth.night.model_dump(mode="json"),
        "plate": truth.plate,
        "frames": [asdict(f) for f in truth.frames],
    }
    (folder / "night.json").write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")


def load_truth(folder: str | Path) -> Truth:
    """The truth of a night that `simulate` wrote.

    Raises
    ------
    InputError
        If the folder holds none.
    """
    folder = Path(folder)
    path = folder / FOLDER / "night.json"
    if not path.is_file():
        raise InputError(f"{folder}: no {FOLDER}/night.json; only folders written by the simulator have one")
    text = json.loads(path.read_text(encoding="utf-8"))
    frames = []
    for entry in text["frames"]:
        entry["trails"] = tuple(Trail(**t) for t in entry["trails"])
        entry["matrix"] = tuple(tuple(row) for row in entry["matrix"])
        entry["sky"] = tuple(entry["sky"])
        frames.append(FrameTruth(**entry))
    return Truth(folder, Night.model_validate(text["night"]), tuple(frames))
