"""A whole night of raw frames with everything true about them written beside."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np

from firstlight.errors import InputError
from firstlight.io.fits_writer import write_raw_fits
from firstlight.kernels import scene as kernels
from firstlight.simulate.comet import add_comet, comet_position
from firstlight.simulate.detector import Detector, make_detector
from firstlight.simulate.field import NEBULA_STEP, Field, Nebula, invent_field, invent_nebula, passbands
from firstlight.simulate.geometry import distort, sky_of
from firstlight.simulate.headers import cards_of
from firstlight.simulate.known import known_field
from firstlight.simulate.scene import MONO, cosmic_rays, render_stars, trail
from firstlight.simulate.settings import PRESETS, Camera, Comet, Night, Sky, Telescope, preset
from firstlight.simulate.shots import DETECTOR, FIELD, FOLDERS, NEBULA, NOISE, RAYS, generator, plan_shots
from firstlight.simulate.truth import FOLDER, FrameTruth, Truth, load_truth, save_truth

__all__ = ["PRESETS", "Camera", "Comet", "Night", "Scene", "Sky", "Telescope", "load_truth", "preset", "simulate"]

FAINTEST = 0.02
"""e- in a pixel below which the wing of a star is not drawn."""
HALO = 3.5
"""Width of a halo of dew, against the star's."""
LAMP = {"R": 0.75, "G": 1.0, "B": 0.6}
"""Colour of the flat field lamp."""


def simulate(
    folder: str | Path,
    night: Night | None = None,
    *,
    field: Field | None = None,
    workers: int | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> Truth:
    """Write the raw frames of a night into ``Lights``, ``Darks``, ``Bias`` and ``Flats`` of a folder.

    Parameters
    ----------
    folder
        A new or empty folder, or one this function wrote before: the old frames then go.
    night
        The settings; None for those of ``Night()``.
    field
        Stars to use instead of invented ones, as of `firstlight.simulate.field.field_from_catalog`.
    workers
        Threads; None for one a core, 8 at most. The bytes written do not depend on it.
    on_frame
        Called after each frame with the number of frames written and the number of all frames.

    Returns
    -------
    Truth
        Also kept in the hidden folder ``.truth``, for `load_truth`.

    Raises
    ------
    InputError
        If the folder holds something else.
    """
    folder = Path(folder)
    night = Night() if night is None else night
    _make_room(folder)
    scene = Scene(night, field)
    for kind in {frame.kind for frame in scene.frames}:
        (folder / FOLDERS[kind]).mkdir(parents=True, exist_ok=True)
    # Made before the threads start, which would else each make their own.
    _ = scene.detector, scene.field, scene.nebula
    done = 0

    def write(frame: FrameTruth) -> None:
        write_raw_fits(folder / frame.file, scene.expose(frame), cards_of(night, frame))

    with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 8)) as pool:
        for _ in pool.map(write, scene.frames):
            done += 1
            if on_frame is not None:
                on_frame(done, len(scene.frames))
    truth = Truth(folder, night, scene.frames)
    save_truth(truth, scene.planes(), scene.star_table(), scene.ray_table())
    return truth


@dataclass(frozen=True, eq=False)
class Scene:
    """A night that is not on disk: every frame can be made alone, in any order, with the same bytes."""

    night: Night
    given: Field | None = None
    """Stars to use instead of invented ones."""

    @cached_property
    def frames(self) -> tuple[FrameTruth, ...]:
        """All frames of the night, in the order they are taken."""
        return plan_shots(self.night)

    @cached_property
    def detector(self) -> Detector:
        return make_detector(self.night.camera, self.night.telescope, generator(self.night, DETECTOR))

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Left, low, right, high of all that any light sees, reference px, with a margin for the wings of stars."""
        height, width = self.night.shape
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=float)
        seen = np.concatenate([f.transform(corners) for f in self.frames if f.kind == "light"] or [corners])
        margin = 40.0 + abs(self.night.telescope.distortion) * max(width, height)
        low, high = seen.min(axis=0) - margin, seen.max(axis=0) + margin
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @cached_property
    def field(self) -> Field:
        make = known_field if self.night.catalog else invent_field
        return self.given or make(self.night, self.box, generator(self.night, FIELD))

    @cached_property
    def nebula(self) -> Nebula | None:
        return invent_nebula(self.night, self.box, generator(self.night, NEBULA)) if self.night.sky.nebula > 0 else None

    def expose(self, frame: FrameTruth) -> np.ndarray:
        """The raw numbers of one frame, uint16 (y, x)."""
        rng = generator(self.night, NOISE, frame.number)
        light, tint = None, None
        if frame.kind == "light":
            light = self.light(frame)
            tint = self._over_cell([b.sky for b in passbands(self.night, frame.filter)])
        elif frame.kind == "flat":
            tint = self._over_cell([LAMP[c] for c in "RGB"] if self.night.camera.cfa else [1.0])
        return self.detector.expose(
            rng,
            frame.exposure,
            light=light,
            sky=np.array(frame.sky),
            tint=tint,
            temperature=frame.temperature,
            rays=self.rays(frame),
        )

    def light(self, frame: FrameTruth) -> np.ndarray:
        """Stars, nebula and trails of a light, e-/s before vignetting and without the sky; float32 (y, x)."""
        night, cell = self.night, self.detector.cell
        bands = passbands(night, frame.filter)
        out = np.zeros(night.shape, np.float32)
        flux = self.field.flux_in(bands) * frame.transparency
        self._add_stars(out, frame, flux, cell, FAINTEST / frame.exposure)
        if self.nebula is not None:
            grid = self.nebula.grid(bands)
            matrix = frame.transform.matrix
            kernels.add_smooth(out, grid, matrix, NEBULA_STEP, self.nebula.origin, cell, frame.transparency)
        for t in frame.trails:
            light = t.brightness / frame.exposure
            trail(night.shape, t.x, t.y, t.angle, light, t.fwhm, swing=t.swing, period=t.period, out=out)
        if night.comet.flux:
            place = self.comet_place(frame)
            add_comet(night, place, frame.transform.rotation, frame.fwhm, frame.transparency, cell, out)
        return out

    def comet_place(self, frame: FrameTruth) -> np.ndarray:
        """Position (2,) of the comet's nucleus on a light, at the middle of its exposure."""
        middle = datetime.fromisoformat(frame.start) + timedelta(seconds=frame.exposure / 2)
        ideal = comet_position(self.night, middle)[None]
        return distort(frame.transform.inverse(ideal), self.night.shape, self.night.telescope.distortion)[0]

    def rays(self, frame: FrameTruth) -> tuple[np.ndarray, np.ndarray]:
        """Flat pixel numbers and charge (e-) of the cosmic rays of a frame."""
        rng = generator(self.night, RAYS, frame.number)
        mean = self.night.cosmic_rays * frame.exposure / max(self.night.exposures, default=1.0)
        return cosmic_rays(rng, self.night.shape, int(rng.poisson(mean)))

    def sky(self, filter_name: str) -> np.ndarray:
        """Stars and nebula in the reference geometry, e-/s above the air, float32 (channels, y, x)."""
        bands = passbands(self.night, filter_name)
        flux = self.field.flux_in(bands)
        grid = self.nebula.grid(bands) if self.nebula is not None else None
        out = np.zeros((len(bands), *self.night.shape), np.float32)
        lights = [f for f in self.frames if f.kind == "light"]
        for c, plane in enumerate(out):
            if lights:
                self._add_stars(plane, lights[0], flux[:, c], MONO, FAINTEST / lights[0].exposure / 10.0)
            if grid is not None and self.nebula is not None:
                kernels.add_smooth(plane, grid[c : c + 1], np.eye(3), NEBULA_STEP, self.nebula.origin, MONO, 1.0)
        return out

    def _add_stars(self, out: np.ndarray, frame: FrameTruth, flux: np.ndarray, cell: np.ndarray, floor: float) -> None:
        ideal = np.column_stack([self.field.x, self.field.y])
        x, y = distort(frame.transform.inverse(ideal), self.night.shape, self.night.telescope.distortion).T
        if frame.halo:
            halo, flux = frame.halo * flux, (1 - frame.halo) * flux
            render_stars(out.shape, x, y, halo, HALO * frame.fwhm, cell=cell, floor=floor, out=out)
        render_stars(
            out.shape,
            x,
            y,
            flux,
            frame.fwhm,
            beta=self.night.sky.moffat_beta,
            ellipticity=frame.ellipticity,
            angle=frame.angle,
            cell=cell,
            floor=floor,
            out=out,
        )

    def _over_cell(self, weights: list[float]) -> np.ndarray:
        return np.array(weights)[self.detector.cell]

    def planes(self) -> dict[str, np.ndarray]:
        """The true maps by name: bias, dark, flat, hot, and the sky of each filter."""
        detector = self.detector
        skies = {f"sky_{name}": self.sky(name) for name in self.night.filters}
        return {"bias": detector.bias, "dark": detector.dark, "flat": detector.flat, "hot": detector.hot, **skies}

    def star_table(self) -> dict[str, np.ndarray]:
        """Columns of `Truth.stars`."""
        ideal = np.column_stack([self.field.x, self.field.y])
        x, y = distort(ideal, self.night.shape, self.night.telescope.distortion).T
        ra, dec = sky_of(self.night, ideal)
        fluxes = {f"flux_{name}": self.field.flux_in(passbands(self.night, name)) for name in self.night.filters}
        table = {"x": x, "y": y, "ideal_x": self.field.x, "ideal_y": self.field.y, "ra": ra, "dec": dec}
        return {**table, "flux": self.field.flux, "temperature": self.field.temperature, **fluxes}

    def ray_table(self) -> dict[str, np.ndarray]:
        """``pixels_N`` and ``charge_N`` of each frame N."""
        table = {}
        for frame in self.frames:
            table[f"pixels_{frame.number}"], table[f"charge_{frame.number}"] = self.rays(frame)
        return table


def _make_room(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: this is a file; give a folder that is new or empty")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / FOLDER / "night.json").is_file():
        raise InputError(f"{folder}: holds files that the simulator did not write; give a folder that is new or empty")
    for frame in load_truth(folder).frames:
        (folder / frame.file).unlink(missing_ok=True)
