"""Calibrations that are kept, one for each set of equipment."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.observe.guiding.axes import Calibration


class CalibrationStore:
    """A file of calibrations by the name of what they were measured with.

    >>> import tempfile
    >>> store = CalibrationStore(Path(tempfile.mkdtemp()) / "guiding.json")
    >>> store.put("EQ6 / 60 mm", Calibration((4.0, 0.0), (0.0, 4.0)))
    >>> store.get("EQ6 / 60 mm").east, store.get("another")
    ((4.0, 0.0), None)
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str) -> Calibration | None:
        """The calibration, or None where there is none.

        Raises
        ------
        InputError
            The file is damaged.
        """
        kept = self._all().get(key)
        if kept is None:
            return None
        try:
            known = {f.name for f in fields(Calibration)}
            values = {name: tuple(v) if isinstance(v, list) else v for name, v in kept.items() if name in known}
            return Calibration(**values)
        except (TypeError, AttributeError) as error:
            raise self._damaged() from error

    def put(self, key: str, calibration: Calibration) -> None:
        """Keep it; an earlier one of the same name gives way."""
        kept = {**self._all(), key: asdict(calibration)}
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")

    def _all(self) -> dict[str, dict]:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._damaged() from error
        if not isinstance(kept, dict):
            raise self._damaged()
        return kept

    def _damaged(self) -> InputError:
        return InputError(f"{self.path}: cannot be read as calibrations of a guider; remove it and calibrate again")


def equipment_key(
    mount: str, camera: str, focal_length: float | None, guide_speed: float | None, binning: int = 1
) -> str:
    """What a calibration holds for.

    >>> equipment_key("EQ6", "ASI120", 240.0, 0.5)
    'EQ6 / ASI120 / 240 mm / speed 0.5 / binning 1'
    """
    length = f"{focal_length:g} mm" if focal_length else "unknown focal length"
    speed = f"speed {guide_speed:g}" if guide_speed else "unknown speed"
    return f"{mount} / {camera} / {length} / {speed} / binning {binning}"
