"""From a profile and connected equipment to a guider."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.places import user_folder
from firstlight.observe.equipment import Equipment
from firstlight.observe.guiding.frames import dark_path, read_dark
from firstlight.observe.guiding.guider import Guider
from firstlight.observe.guiding.settings import GuideSettings, pixel_scale
from firstlight.observe.guiding.store import CalibrationStore, equipment_key
from firstlight.observe.guiding.watcher import Watcher
from firstlight.observe.profile import Profile


def guide_folder() -> Path:
    """Where calibrations, darks and logs of guiding are kept."""
    return user_folder() / "guiding"


def settings_of(profile: Profile, settings: GuideSettings | None = None) -> GuideSettings:
    """The settings (those of the profile, where none are given), with what it says of the guide scope and camera.

    >>> from firstlight.observe.profile import GuideTrain
    >>> settings_of(Profile(guiding=GuideTrain(focal_length=240, gain=30))).focal_length
    240.0
    """
    train, more = profile.guiding, {}
    settings = settings or train.settings
    if not settings.focal_length and train.focal_length:
        more["focal_length"] = train.focal_length
    if settings.gain < 0 and train.gain is not None:
        more["gain"] = train.gain
    if settings.offset < 0 and train.offset is not None:
        more["offset"] = train.offset
    return settings.model_copy(update=more)


def guider_of(
    profile: Profile,
    found: Equipment,
    settings: GuideSettings | None = None,
    *,
    calibrate: bool = False,
    dark: Path | None = None,
    watchers: Iterable[Watcher] = (),
    folder: Path | None = None,
    keep: bool = True,
) -> Guider:
    """A guider of the profile's equipment, with the calibration and the dark that are kept for it.

    Parameters
    ----------
    settings : default: those of the profile.
    found : guide camera and port, and the mount where the profile has one.
    calibrate : measure anew, whatever is kept.
    dark : another one than that which is kept.
    folder : of calibrations and darks; default: `guide_folder`.
    keep : new calibrations are kept there.

    Raises
    ------
    InputError
        There is no guide camera or nothing that takes pulses; or what is kept is damaged.
    """
    camera, port = found.guide_camera, found.guide_port
    if camera is None or port is None:
        raise InputError(
            "guiding: a guide camera and something that takes pulses are needed; write guiding.camera and guiding.port "
            "in the profile"
        )
    settings = settings_of(profile, settings)
    folder = folder or guide_folder()
    kept_dark = dark_path(folder, camera.name, settings)
    plane = read_dark(dark) if dark else read_dark(kept_dark) if kept_dark.is_file() else None
    store = CalibrationStore(folder / "calibrations.json")
    speed = getattr(found.mount or port, "guide_rate", None)
    key = equipment_key(port.name, camera.name, settings.focal_length, speed, settings.binning)
    return Guider(
        camera,
        port,
        settings,
        mount=found.mount,
        calibration=None if calibrate else store.get(key),
        clock=found.clock,
        dark=plane,
        scale=pixel_scale(settings, camera.pixel_size),
        watchers=tuple(watchers),
        keep=lambda calibration: store.put(key, calibration) if keep else None,
    )
