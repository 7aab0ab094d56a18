"""A recipe's step: the report of the run."""

from __future__ import annotations

from firstlight.ops.registry import Params
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.report import write_report

ASIDE = ("scale", "measure", "register")
"""Steps that what comes after them tells of."""


class Options(Params):
    """The report."""

    file: str = "report.html"
    """Its name (in the folder of the run)."""


def work(images: Images, options: Options) -> None:
    """Write the page anew where anything else of the run is new."""
    target = images.folder / options.file

    def make() -> None:
        write_report(images.folder, target)

    new = any(why for _, _, why in images.ahead)
    images.do("report", [], "new" if new else images.graph.digest(besides=(images.step, *ASIDE)), make, [target])
