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
    "solve_image": "firstlight.pipeline.solve",
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
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'firstlight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
