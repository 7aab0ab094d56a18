"""What an observer says of all frames of a session."""

from __future__ import annotations

from firstlight.ops.registry import Params


class Facts(Params):
    """What the user says of all frames of a session."""

    observer: str = ""
    """Name of the observer, for all frames; empty: as the headers say."""
    observer_code: str = ""
    """The observer's code, such as AAVSO's."""
    telescope: str = ""
    """Name of the telescope, for all frames."""
    site: str = ""
    """Where the frames were taken: a name, MPC code or telescope of the table (`firstlight meta sites`), or
    latitude,longitude,elevation in degrees (east positive) and m."""
    clock: str = ""
    """Zone of the camera's clock where it did not run on UTC, such as +02:00 or Europe/Berlin."""
    metadata: str = ""
    """A table (CSV) or YAML file of metadata; ``metadata.csv`` and ``metadata.yaml`` beside the frames are found."""

    @staticmethod
    def of(settings: Facts) -> Facts:
        """Those among the settings of a run."""
        return Facts(**{name: getattr(settings, name) for name in Facts.model_fields})
