"""A recipe's step: the images under names made of their headers, as observers and their archives want them."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

from firstlight.errors import InputError, SpecError, nearest
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.library.plans import slug
from firstlight.model.image import Image
from firstlight.ops.registry import Params
from firstlight.pipeline.flow_of_images import Images

MJD_OF_UNIX = 40587.0


class Options(Params):
    """Names made of headers."""

    names: str = "{object}_{observer}_{filter}_{date}_{mjd}"
    """``{object}``, ``{observer}``, ``{filter}``, ``{telescope}``, ``{camera}``, ``{exposure}`` (s), ``{ms}``,
    ``{date}`` (UTC, 20260131), ``{time}`` (UTC, 213000), ``{jd}`` and ``{mjd}`` (8 decimals, mid-exposure),
    ``{frames}``, ``{name}`` (of the image)."""
    images: str = "*"
    """Which images, by name; several patterns are separated by blanks."""
    ending: str = "fits"
    """Suffix of the files: fits keeps everything."""
    to: str = "export"
    """Folder (in that of the run)."""


def check(options: Options) -> None:
    """Whether the template names what there is."""
    words = [word for _, word, _, _ in string.Formatter().parse(options.names) if word is not None]
    for word in words:
        if word not in FACTS:
            raise SpecError(f"names: {{{word}}}{nearest(word, FACTS)}; there are {', '.join(FACTS)}")
    if not words:
        raise SpecError(f"names {options.names!r}: all images would have one name; use {{name}}")


FACTS = (
    "object", "observer", "filter", "telescope", "camera", "exposure", "ms", "date", "time", "jd", "mjd", "frames",
    "name",
)  # fmt: skip


def facts_of(image: Image, name: str) -> dict[str, Any]:
    """What a name can be made of; what the header does not tell is ``unknown``."""
    meta = image.meta
    middle = meta.mid_time
    facts: dict[str, Any] = dict.fromkeys(FACTS, "unknown")
    facts |= {
        "name": name, "object": slug(meta.target), "observer": slug(meta.observer), "filter": slug(meta.filter),
        "telescope": slug(meta.telescope), "camera": slug(meta.camera), "frames": meta.n_combined,
    }  # fmt: skip
    if meta.exposure is not None:
        facts |= {"exposure": f"{meta.exposure:g}", "ms": f"{1000 * meta.exposure:.0f}"}
    if middle is not None:
        mjd = middle.timestamp() / 86400 + MJD_OF_UNIX
        facts |= {
            "date": f"{middle:%Y%m%d}", "time": f"{middle:%H%M%S}", "mjd": f"{mjd:.8f}", "jd": f"{mjd + 2400000.5:.8f}"
        }  # fmt: skip
    return {key: value or "unknown" for key, value in facts.items()}


def work(images: Images, options: Options) -> None:
    """Write every chosen image under its name."""
    taken: dict[str, str] = {}
    for name, path in images.chosen(options.images).items():
        if not path.exists():
            images.do(name, [path], [options.names, options.ending], list, [])
            continue
        image = read(path)
        stem = options.names.format_map(facts_of(image, name))
        if stem in taken:
            raise InputError(f"{images.step}: {taken[stem]} and {name} would both be {stem}; add {{name}} to names")
        taken[stem] = name
        target = images.folder / options.to / f"{stem}.{options.ending}"

        def make(image: Image = image, target: Path = target) -> None:
            write(target, image)

        images.do(name, [path], [options.names, options.ending, options.to], make, [target])
