"""What notebooks show of images and runs: a picture and the facts."""

from __future__ import annotations

import base64
import html
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.io.pictures import write_picture
from firstlight.model.image import Image
from firstlight.ops.align.bin import Mean, bin_mean
from firstlight.ops.chain import apply
from firstlight.pipeline.products import make_picture

if TYPE_CHECKING:
    from firstlight.pipeline.process import Result

WIDEST = 800
"""px: larger images are binned."""


def picture_of(image: Image) -> bytes:
    """A stretched PNG of an image."""
    image = image.replace(variance=None)
    if image.meta.cfa and image.shape[0] == 1:
        image = apply(image, "cal:debayer:method=superpixel")
    if image.shape[0] not in (1, 3, 4):
        image = image.replace(data=image.data[:1], flags=image.flags[:1])
    factor = min(-(-max(image.shape[1:]) // WIDEST), min(image.shape[1:]))
    if factor > 1:
        image = bin_mean(image, Mean(factor=factor))
    if not image.good.any():
        shown = image.replace(data=np.zeros_like(image.data))
    else:
        shown = make_picture(image, "stretch:midtones") if image.state == "linear" else image
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture.png")
        data = np.where(shown.good, shown.data, np.float32(0))
        write_picture(path, data[: 3 if len(data) >= 3 else 1], bottom_up=shown.meta.bottom_up)
        return path.read_bytes()


def facts_of(image: Image) -> list[tuple[str, str]]:
    """What is known of an image, in words."""
    meta, good = image.meta, image.good
    channels, height, width = image.shape
    facts = [("size", f"{width} x {height} px" + (f", {channels} channels" if channels > 1 else ""))]
    facts += [("unit", f"{image.unit}, {image.state}")]
    for name, value in (("target", meta.target), ("filter", meta.filter), ("camera", meta.camera)):
        facts += [(name, str(value))] if value else []
    if meta.exposure is not None:
        frames = f", {meta.n_combined} frames" if meta.n_combined > 1 else ""
        facts.append(("exposure", f"{meta.exposure:g} s{frames}"))
    if meta.mid_time is not None:
        facts.append(("middle", f"{meta.mid_time:%Y-%m-%d %H:%M:%S} UTC"))
    if good.any():
        values = image.data[good]
        facts.append(("values", f"median {np.median(values):.6g}, {values.min():.6g} to {values.max():.6g}"))
    facts.append(("flagged", f"{100 * (1 - good.mean()):.2f} % of the pixels hold no number"))
    facts.append(("variance", "known" if image.variance is not None else "not known"))
    facts.append(("plate", "known" if image.plate is not None else "not known"))
    facts += [("history", "; ".join(image.history))] if image.history else []
    return facts


def image_bundle(image: Image) -> dict[str, Any]:
    """An image as a notebook shows it."""
    picture = base64.b64encode(picture_of(image)).decode("ascii")
    page = f'<img src="data:image/png;base64,{picture}" style="max-width:100%">{_table(facts_of(image))}'
    return {"text/plain": repr(image), "text/html": page}


def result_bundle(result: Result) -> dict[str, Any]:
    """A run as a notebook shows it: each stack with its preview and numbers."""
    parts = []
    for stack in result.stacks:
        told = stack.summary()
        facts = [(name.replace("_", " "), str(told[name])) for name in
                 ("frames", "set_aside", "method", "total_exposure_s", "fwhm_px", "noise_adu", "stars")
                 if told.get(name) is not None]  # fmt: skip
        picture = base64.b64encode(picture_of(stack.image)).decode("ascii")
        parts.append(
            f'<h4>{html.escape(told["name"])}</h4><img src="data:image/png;base64,{picture}" style="max-width:100%">'
            + _table(facts)
        )
    state = "unchanged since the last run" if result.unchanged else f"{len(result.stacks)} stacks"
    parts.append(
        _table([("products", str(result.output)), ("state", state), ("set aside", str(len(result.set_aside)))])
    )
    return {"text/plain": repr_of(result), "text/html": "".join(parts)}


def repr_of(result: Result) -> str:
    """A run in one line."""
    names = ", ".join(stack.name for stack in result.stacks) or "no stacks"
    return f"<Result {result.output}: {'unchanged' if result.unchanged else names}>"


def _table(facts: Iterable[tuple[str, str]]) -> str:
    left = 'style="text-align:left"'
    cells = ((html.escape(name), html.escape(value)) for name, value in facts)
    rows = "".join(f"<tr><th {left}>{name}</th><td {left}>{value}</td></tr>" for name, value in cells)
    return f"<table>{rows}</table>"
