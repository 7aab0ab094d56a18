"""Equipment profiles: what is on the mount, in a file of the user's."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firstlight.errors import InputError, nearest
from firstlight.io.atomic import atomic_path
from firstlight.observe.guiding.settings import GuideSettings

ENVIRONMENT = "FIRSTLIGHT_PROFILE"
ENDING = ".toml"


class Part(BaseModel):
    """A section of a profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImagingTrain(Part):
    """The telescope and its camera."""

    camera: str = ""
    """Device, as `firstlight observe devices` names it."""
    telescope: str = ""
    """Its name, for headers."""
    focal_length: float = Field(0.0, ge=0)
    """mm; 0: not known."""
    aperture: float = Field(0.0, ge=0)
    """mm."""
    gain: float | None = None
    """The camera's setting; left as it is where nothing is given."""
    offset: float | None = None
    electrons: float | None = Field(None, gt=0)
    """e-/adu at that gain, where the driver does not tell."""
    temperature: float | None = None
    """Degrees C to which lights and darks are cooled."""
    save_in: str = ""
    """A folder of the camera's computer where frames stay; empty: they are sent."""


class GuideTrain(Part):
    """The guide telescope and its camera."""

    camera: str = ""
    focal_length: float = Field(0.0, ge=0)
    aperture: float = Field(0.0, ge=0)
    port: str = "mount"
    """What takes pulses: ``mount``, ``camera``, or the name of a device."""
    gain: float | None = None
    offset: float | None = None
    settings: GuideSettings = GuideSettings()
    """What `firstlight observe guide --help` lists: ``exposure = 3``, ``control = { ra_aggressiveness = 0.6 }``."""


class MountPart(Part):
    """The mount."""

    device: str = ""


class WheelPart(Part):
    """The filter wheel."""

    device: str = ""
    filters: tuple[str, ...] = ()
    """Names in order of the places; empty: as the driver has them."""


class FocuserPart(Part):
    """The focuser."""

    device: str = ""
    backlash: int = Field(0, ge=0)
    """Steps."""
    approach: Literal["down", "up"] = "down"
    """From which side positions are approached, so that gravity and gears are always on the same side."""
    step: float = Field(0.0, ge=0)
    """Micrometres that the tube moves with a step; 0: not known."""
    offsets: dict[str, int] = Field(default_factory=dict)
    """Steps by filter, as `firstlight observe focus --offsets` measures them."""


class Profile(Part):
    """One set of equipment."""

    name: str = ""
    server: str = "localhost:7624"
    observer: str = ""
    site: str = ""
    """A name of `firstlight meta sites`, or latitude,longitude,elevation."""
    imaging: ImagingTrain = ImagingTrain()
    guiding: GuideTrain = GuideTrain()
    mount: MountPart = MountPart()
    wheel: WheelPart = WheelPart()
    focuser: FocuserPart = FocuserPart()


def profile_folder() -> Path:
    """Where profiles lie: ``equipment`` beside the user's configuration."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base, "firstlight", "equipment")


def profile_names() -> list[str]:
    """All that are there."""
    return sorted(path.stem for path in profile_folder().glob(f"*{ENDING}"))


def profile_path(name: str) -> Path:
    """The file of a profile; a name with a folder or an ending is a file's."""
    if name.endswith(ENDING) or "/" in name:
        return Path(name).expanduser()
    if not re.fullmatch(r"[\w][\w .+-]*", name):
        raise InputError(f"profile {name!r}: letters, digits, blanks and . + - _ are allowed")
    return profile_folder() / f"{name}{ENDING}"


def read_profile(name: str = "") -> Profile:
    """A profile by its name or file; without one, ``FIRSTLIGHT_PROFILE``, or the only one there is.

    Raises
    ------
    InputError
        There is none of that name, several where none is named, or it cannot be read; the message names the entry.
    """
    name = name or os.environ.get(ENVIRONMENT, "")
    known = profile_names()
    if not name:
        if len(known) != 1:
            raise InputError(
                f"equipment: {'no profile is' if not known else 'several profiles are'} there"
                f"{': ' + ', '.join(known) if known else ''}; "
                + ("name one with --profile" if known else "make one: firstlight observe profile new NAME")
            )
        name = known[0]
    path = profile_path(name)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        guess = nearest(name, known) or (f"; there are {', '.join(known)}" if known else "")
        raise InputError(
            f"{path}: there is no such profile{guess}; `firstlight observe profile new` makes one"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a profile (TOML): {error}") from error
    try:
        return Profile(**{"name": path.stem, **content})
    except ValidationError as error:
        raise InputError(f"{path}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        part: type[BaseModel] = Profile
        for key in first["loc"][:-1]:
            part = part.model_fields[str(key)].annotation  # type: ignore[assignment]
        known = list(part.model_fields)
        return f"{where} is not known{nearest(str(first['loc'][-1]), known)}; there are {', '.join(known)}"
    return f"{where} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"


def write_profile(profile: Profile, path: Path, replace: bool = False) -> None:
    """Write a profile, whole or not at all.

    Raises
    ------
    InputError
        It is there already, and is not to be replaced.
    """
    if path.exists() and not replace:
        raise InputError(f"{path}: exists already; edit it, or give another name")
    with atomic_path(path) as temporary:
        temporary.write_text(as_toml(profile), encoding="utf-8")


def write_offsets(path: Path, offsets: Mapping[str, int]) -> None:
    """Put offsets of filters into a profile, in place of those that it has; all else in the file stays as it is."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = "[focuser.offsets]"
    if head in [line.strip() for line in lines]:
        begin = [line.strip() for line in lines].index(head)
        end = next((i for i in range(begin + 1, len(lines)) if lines[i].lstrip().startswith("[")), len(lines))
        rest = ["", *lines[end:]] if end < len(lines) else []
        lines = [*lines[:begin], head, *(f"{_quoted(k)} = {v}" for k, v in offsets.items()), *rest]
    else:
        lines += ["", head, *(f"{_quoted(key)} = {value}" for key, value in offsets.items())]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def as_toml(profile: Profile) -> str:
    """The text of a profile; what is as it is without a profile stands as a comment.

    >>> print(as_toml(Profile(observer="A. Name"))[:49])
    # server = "localhost:7624"
    observer = "A. Name"
    """
    return "\n".join(_lines(profile.model_dump(exclude={"name"}), Profile().model_dump())) + "\n"


def _lines(values: dict[str, Any], usual: dict[str, Any], where: str = "") -> list[str]:
    """The entries of a table and of those in it; of tables deeper down only what is not as usual."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [_line(key, value, usual.get(key)) for key, value in plain.items()]
    if where.count("."):
        lines = [line for line in lines if not line.startswith("#")]
    for key in [key for key in values if key not in plain]:
        name = f"{where}.{key}" if where else key
        inside = _lines(values[key], usual.get(key, {}), name)
        if inside or not where:
            lines += ["", *([f"[{name}]"] if inside[:1] != [""] else []), *inside]
    return lines


def _line(key: str, value: object, usual: object) -> str:
    if isinstance(value, str):
        text = _quoted(value)
    elif isinstance(value, tuple):
        text = "[" + ", ".join(map(_quoted, value)) + "]"
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = "0" if value is None else f"{value}"
    key = key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _quoted(key)
    return f"# {key} = {text}" if value == usual else f"{key} = {text}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
