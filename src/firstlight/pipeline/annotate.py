"""Names on a picture: deep-sky objects, bright stars, stars of a catalogue, the grid of the sky."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.catalogs import cone
from firstlight.io.deep_sky import objects_near
from firstlight.io.star_names import named_stars
from firstlight.io.write import write
from firstlight.model.catalog import unit_vectors
from firstlight.model.image import Image, State
from firstlight.model.plate import Plate
from firstlight.ops.align.sky_target import sky_of
from firstlight.ops.registry import Params
from firstlight.pipeline.overlay import draw
from firstlight.pipeline.sky_marks import Mark, by_size, field_of, grid_lines, place
from firstlight.units import Arcmin, Unit

COLUMNS = ("label", "kind", "ra", "dec", "x", "y", "major_px", "minor_px")


class Annotate(Params):
    """What is written on the picture."""

    objects: bool = True
    """Deep-sky objects of OpenNGC (NGC, IC, Messier)."""
    smallest: Annotated[Arcmin, Field(ge=0)] = 0.5
    """Objects smaller than this are left out, unless they have a Messier number or a common name."""
    most: Annotated[int, Field(ge=0)] = 60
    """At most so many objects, the largest first."""
    stars: bool = True
    """Names of bright stars."""
    catalog: str = ""
    """Also mark the stars of this catalogue (``auto``, a name or a file), with their magnitudes."""
    faintest: Annotated[float, Field(ge=-2, le=30), Unit("mag")] = 10.0
    """Of the stars of ``catalog``."""
    grid: bool = False
    """Lines of right ascension and declination."""
    compass: bool = True
    """Arrows towards north and east."""
    bar: bool = True
    """A scale bar."""
    caption: str = ""
    """A line at the lower left."""


@dataclass(frozen=True)
class Labelled:
    """A picture with its marks."""

    picture: Image
    marks: tuple[Mark, ...]


def marks_of(plate: Plate, shape: tuple[int, int], settings: Annotate, folders: Sequence[str] = ()) -> list[Mark]:
    """What is known in a picture (height, width), the largest first.

    Raises
    ------
    InputError
        OpenNGC, or the catalogue that is asked for, is not here.
    """
    ra, dec, radius = field_of(plate, shape)
    found: list[Mark] = []
    if settings.objects:
        for one in objects_near(ra, dec, 1.2 * radius + 1.0, folders):
            known = one.messier or one.common
            if (one.major or 0.0) < settings.smallest and not known:
                continue
            label = one.messier or one.name
            if one.common:
                label = f"{label} {one.common[0]}"
            mark = place(plate, shape, label, one.kind, one.ra, one.dec, one.major or 0.0, one.minor or 0.0,
                         one.angle or 0.0)  # fmt: skip
            if mark is not None:
                found.append(mark)
        found = by_size(found)[: settings.most]
    if settings.stars:
        middle = unit_vectors(np.array([ra]), np.array([dec]))[0]
        for star in named_stars():
            near = unit_vectors(np.array([star.ra]), np.array([star.dec]))[0] @ middle
            if near < np.cos(np.radians(min(1.2 * radius, 179.0))):
                continue
            mark = place(plate, shape, star.name, "star", star.ra, star.dec)
            if mark is not None:
                found.append(mark)
    if settings.catalog:
        stars = cone(settings.catalog, ra, dec, min(radius, 90.0), settings.faintest, folders)
        for k in range(len(stars)):
            label = stars.names[k] if stars.names else f"{stars.mag[k]:.1f}"
            mark = place(plate, shape, label, "star", float(stars.ra[k]), float(stars.dec[k]))
            if mark is not None:
                found.append(mark)
    return found


def annotate(image: Image, settings: Annotate | None = None, *, folders: Sequence[str] = ()) -> Labelled:
    """Write names, directions and a scale on a picture.

    Parameters
    ----------
    image : stretched, one or three channels, with a plate.
    folders : of catalogues, besides the usual ones.

    Returns
    -------
    Labelled
        A colour picture of the same size, and the marks. Flags and variance are dropped.

    Raises
    ------
    InputError
        No plate, or the image is linear.
    """
    settings = settings or Annotate()
    if image.plate is None:
        raise InputError("annotate: the image has no plate; solve it first: firstlight solve FILE")
    if image.state is not State.STRETCHED:
        raise InputError("annotate: the image is linear, and nearly all of it would be black; stretch it first")
    shape = image.shape[1:]
    marks = marks_of(image.plate, shape, settings, folders)
    drawn = draw(
        image.data, marks=marks, lines=grid_lines(image.plate, shape) if settings.grid else (), plate=image.plate,
        compass=settings.compass, bar=settings.bar, caption=settings.caption, bottom_up=image.meta.bottom_up,
    )  # fmt: skip
    said = f"annotated: {len(marks)} names"
    picture = Image(drawn, unit=image.unit, state=State.STRETCHED, plate=image.plate, meta=image.meta,
                    history=(*image.history, said))  # fmt: skip
    return Labelled(picture, tuple(marks))


def write_annotated(target: Path, done: Labelled, table: Path | None = None) -> list[Path]:
    """Write the picture, and the marks as a table (CSV) where one is asked for."""
    written = [write(target, done.picture)]
    if table is not None and done.picture.plate is not None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(COLUMNS)
        for mark in done.marks:
            ((ra, dec),) = sky_of(done.picture.plate, np.array([[mark.x, mark.y]]))
            rows.writerow([mark.label, mark.kind, f"{ra:.5f}", f"{dec:.5f}", f"{mark.x:.1f}", f"{mark.y:.1f}",
                           f"{mark.major:.1f}", f"{mark.minor:.1f}"])  # fmt: skip
        with atomic_path(table) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")
        written.append(table)
    return written
