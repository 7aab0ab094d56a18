"""Pictures on the quality of images: `firstlight inspect`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from firstlight.errors import FrameError, InputError, nearest
from firstlight.io.atomic import atomic_path
from firstlight.io.read import read
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, State
from firstlight.ops.inspect.field_shape import FieldShape
from firstlight.ops.inspect.psf_model import MeasurePsf
from firstlight.ops.inspect.star_list import Measured, StarList, list_stars
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.inspect.statistics import statistics_of
from firstlight.ops.registry import Params
from firstlight.pipeline import inspect_page as page
from firstlight.pipeline.measure_files import field_of, strong_stars
from firstlight.pipeline.star_files import check_names, files_of, of_file, stem_of
from firstlight.units import Px

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


class InspectSettings(Params):
    """Settings of `firstlight inspect`."""

    corners: bool = True
    """Nine pieces at full size: the aberration inspector."""
    field: bool = True
    """Maps of width and elongation; tilt and curvature."""
    stars: bool = True
    """The image with its stars, and their widths by brightness."""
    histogram: bool = True
    """Histogram and statistics of each channel."""
    preview: bool = True
    """The image between the limits of zscale."""
    side: Annotated[Px, Field(ge=16, le=2000)] = 220
    """Side of the nine pieces."""
    colours: str = ""
    """Colour map of the preview, one of matplotlib's, such as ``viridis``; empty: grey, or the image's own colours."""
    bar: bool = False
    """A colour bar beside the preview."""


@dataclass(frozen=True, eq=False)
class Inspected:
    """The pictures of one file."""

    path: Path
    shape: FieldShape | None
    note: str
    files: tuple[Path, ...]


def inspect_files(
    given: Sequence[Path], settings: InspectSettings, output: Path
) -> Iterator[Inspected | tuple[Path, str]]:
    """Pictures of one image after the other; one that cannot be used is told with the reason.

    Raises
    ------
    InputError
        A file does not exist, two have one name, or there is no such colour map.
    """
    check_colours(settings.colours)
    paths = files_of(given)
    check_names(paths)
    for path in paths:
        try:
            with of_file(path):
                found = _inspected(path, read(path), settings, output)
            yield found
        except FrameError as error:
            yield path, str(error)


def check_colours(name: str) -> None:
    """Refuse a colour map that matplotlib does not have."""
    if name:
        from matplotlib import colormaps

        if name not in colormaps:
            raise InputError(f"--colours {name}: no such colour map{nearest(name, colormaps) or '; such as viridis'}")


def _inspected(path: Path, image: Image, settings: InspectSettings, output: Path) -> Inspected:
    output.mkdir(parents=True, exist_ok=True)
    measured, shape, note = None, None, ""
    if image.state == State.LINEAR and (settings.corners or settings.field or settings.stars):
        measured = list_stars(image, StarList(psf=False), FindStars(max_stars=20_000), MeasurePsf())
        try:
            shape = field_of(measured)
        except FrameError as error:
            note = str(error)
    elif image.state != State.LINEAR:
        note = "stretched: no stars are measured"
    files = [
        _saved(figure, output / f"{stem_of(path)}_{kind}.png")
        for kind, figure in _drawn(path.name, image, measured, shape, settings)
    ]
    return Inspected(path, shape, note, tuple(files))


def _drawn(
    name: str, image: Image, measured: Measured | None, shape: FieldShape | None, settings: InspectSettings
) -> Iterator[tuple[str, Figure]]:
    plane = measured.plane.data if measured is not None else image.data.mean(axis=0)
    if settings.corners:
        yield "corners", page.draw_corners(plane, shape, settings.side, name)
    if measured is not None:
        if settings.field and shape is not None:
            yield "field", page.draw_field(strong_stars(measured.table), shape, name)
        if settings.stars and len(measured.table):
            yield "stars", page.draw_stars(plane, measured.table, name)
    if settings.histogram:
        yield "histogram", page.draw_histogram(image, statistics_rows(image), name)
    if settings.preview:
        yield "preview", page.draw_preview(image, settings.colours, settings.bar, name)


def statistics_rows(image: Image) -> list[tuple[str, str]]:
    """Statistics of each channel, as names and texts."""
    rows: list[tuple[str, str]] = []
    names = ("",) if image.shape[0] == 1 else tuple(f"{c} " for c in "RGB"[: image.shape[0]])
    for channel, name in enumerate(names):
        s = statistics_of(image.data[channel], has(image.flags[channel], EXCLUDED))
        for label, value in (
            ("mean", s.mean), ("median", s.median), ("std", s.std), ("MAD", s.mad), ("min", s.minimum),
            ("max", s.maximum), ("p1", s.percentiles[0]), ("p99", s.percentiles[-1]), ("entropy", s.entropy),
        ):  # fmt: skip
            rows.append((name + label, f"{value:.6g}"))
        rows.append(("", ""))
    return rows


def _saved(figure: Figure, path: Path) -> Path:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return path
