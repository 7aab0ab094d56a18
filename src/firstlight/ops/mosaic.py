"""Operations that would mix the colours of a mosaic refuse it."""

from __future__ import annotations

from firstlight.errors import InputError
from firstlight.model.image import Image


def refuse_mosaic(step: str, image: Image) -> None:
    """Whether neighbouring pixels have the same colour.

    Raises
    ------
    InputError
        If the image is a CFA mosaic.
    """
    if image.meta.cfa:
        raise InputError(
            f"{step}: the image is a CFA mosaic ({image.meta.cfa}), its colours would mix; "
            "debayer it first (cal:debayer)"
        )
