"""firstlight: from raw astronomical frames to calibrated, registered, stacked images and measurements.

>>> import firstlight as fl
>>> image = fl.Image([[1.0, 2.0], [3.0, 4.0]])
>>> fl.apply(image, "stretch:linear").state.value
'stretched'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES: dict[str, str] = {
    "Image": "firstlight.model.image",
    "Meta": "firstlight.model.meta",
    "Flag": "firstlight.model.flags",
    "Transform": "firstlight.model.registration",
    "read": "firstlight.io.read",
    "write": "firstlight.io.write",
    "apply": "firstlight.ops.chain",
    "step": "firstlight.ops.spec",
    "operations": "firstlight.ops.registry",
    "plan": "firstlight.pipeline.plan",
    "process": "firstlight.pipeline.process",
    "Settings": "firstlight.pipeline.settings",
    "solve_image": "firstlight.pipeline.solve",
    "to_ccddata": "firstlight.io.ccddata",
    "from_ccddata": "firstlight.io.ccddata",
    "load_recipe": "firstlight.pipeline.recipe",
    "run_recipe": "firstlight.pipeline.recipe_run",
}
__all__ = [*_HOMES, "__version__"]

if TYPE_CHECKING:
    from firstlight.model.flags import Flag as Flag
    from firstlight.model.image import Image as Image
    from firstlight.model.meta import Meta as Meta
    from firstlight.model.registration import Transform as Transform


def __getattr__(name: str) -> Any:
    # Names are imported when first used: `import firstlight` and `firstlight --help` stay quick.
    if name in _HOMES:
        found = getattr(importlib.import_module(_HOMES[name]), name)
        _give_faces()
        return found
    raise AttributeError(f"module 'firstlight' has no attribute {name!r}")


def _give_faces() -> None:
    """Images show themselves in notebooks and become CCDData; what does it lies above the model and is imported when it
    is asked for."""
    from firstlight.model.image import Image

    if hasattr(Image, "to_ccddata"):
        return

    def show(self: Image, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """A picture and the facts, for notebooks."""
        from firstlight.pipeline.notebook import image_bundle

        return image_bundle(self)

    def to_ccddata(self: Image) -> Any:
        """As `astropy.nddata.CCDData`; see `firstlight.io.ccddata.to_ccddata`."""
        from firstlight.io.ccddata import to_ccddata

        return to_ccddata(self)

    def from_ccddata(ccd: Any) -> Image:
        """Of `astropy.nddata.CCDData`; see `firstlight.io.ccddata.from_ccddata`."""
        from firstlight.io.ccddata import from_ccddata

        return from_ccddata(ccd)

    Image._repr_mimebundle_ = show  # type: ignore[attr-defined]
    Image.to_ccddata = to_ccddata  # type: ignore[attr-defined]
    Image.from_ccddata = staticmethod(from_ccddata)  # type: ignore[attr-defined]


def __dir__() -> list[str]:
    return sorted(__all__)
