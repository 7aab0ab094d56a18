"""A recipe's step: the stacks of different filters combined into one image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firstlight.errors import InputError, SpecError
from firstlight.io.read import open_frame
from firstlight.io.write import write
from firstlight.library.plans import slug
from firstlight.pipeline.channel_modes import find_mode
from firstlight.pipeline.combine_channels import ChannelSettings, combine_channels, role_of_filter
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.step_apply import operations

AUTO = (
    ("lrgb", ("L", "R", "G", "B")),
    ("hargb", ("Ha", "R", "G", "B")),
    ("rgb", ("R", "G", "B")),
    ("sho", ("SII", "Ha", "OIII")),
    ("hoo", ("Ha", "OIII")),
)
"""What ``auto`` takes, the first that the filters of a target allow."""


class Options(ChannelSettings):
    """Images of different filters into one."""

    mode: str = "auto"
    """One of `firstlight combine --list`; ``auto``: LRGB, Ha with RGB, RGB, SHO or HOO, by the filters there are."""
    arguments: str = ""
    """Parameters of the mode: ``key=value``, separated by commas."""
    steps: str = ""
    """Operations on the result, separated by blanks (or a list)."""
    color_steps: str = ""
    """Operations on the colours before they are mixed."""
    luminance_steps: str = ""
    """Operations on the luminance before it is mixed."""
    ha_steps: str = ""
    """Operations on hydrogen before it is mixed."""
    images: str = "*"
    """Which images, by name; several patterns are separated by blanks."""
    to: str = "combined"
    """Folder (in that of the run)."""


def check(options: Options) -> None:
    """Whether the mode and the operations exist."""
    if options.mode != "auto":
        find_mode(options.mode)
    for text in _chains(options).values():
        operations(text)
    _arguments(options)


def _chains(options: Options) -> dict[str, str]:
    parts = {"color": options.color_steps, "luminance": options.luminance_steps, "ha": options.ha_steps,
             "after": options.steps}  # fmt: skip
    return {part: text for part, text in parts.items() if text.split()}


def _arguments(options: Options) -> dict[str, str]:
    found = {}
    for part in filter(None, options.arguments.replace(" ", "").split(",")):
        key, separator, value = part.partition("=")
        if not separator:
            raise SpecError(f"arguments: {part!r}; write key=value, separated by commas")
        found[key] = value
    return found


def work(images: Images, options: Options) -> None:
    """Combine the images of each target."""
    settings = ChannelSettings(**{key: getattr(options, key) for key in ChannelSettings.model_fields})
    fields: dict[str, dict[str, Path]] = {}
    for path in images.chosen(options.images).values():
        if not path.exists():
            continue
        frame = open_frame(path)
        role = "RGB" if frame.shape[0] == 3 else role_of_filter(frame.meta.filter)
        if role:
            fields.setdefault(frame.meta.target or "target", {}).setdefault(role, path)
    made = 0
    for target, by_role in fields.items():
        mode, inputs = _inputs(options, by_role)
        if not inputs:
            continue
        made += 1
        name = f"{slug(target) or 'target'}_{mode.upper()}"
        file = images.folder / options.to / f"{name}.fits"
        chains = {part: text.split() for part, text in _chains(options).items() if _takes(mode, part, options)}

        def make(mode: str = mode, inputs: list[Path] = inputs, file: Path = file, chains: dict = chains) -> None:
            combined = combine_channels(mode, inputs, _arguments(options), settings, chains=chains)
            images.notes += [f"{file.stem}: {note}" for note in combined.notes]
            write(file, combined.image, provenance=combined.provenance())

        images.do(name, inputs, [mode, options.model_dump(exclude={"mode"})], make, [file])
        images.paths[name] = file
    if not made:
        there = "; ".join(f"{target}: {', '.join(roles)}" for target, roles in fields.items()) or "none"
        raise InputError(f"no target has the filters for mode {options.mode}; there are {there}")


def _takes(mode: str, part: str, options: Options) -> bool:
    """Whether a mode that was chosen by itself has this part; of a named mode it must have."""
    roles = {role for each in find_mode(mode).roles for role in each}
    wanted = {"color": {"R", "RGB"}, "luminance": {"L"}, "ha": {"Ha"}}
    return options.mode != "auto" or part == "after" or bool(wanted[part] & roles)


def _inputs(options: Options, by_role: Mapping[str, Path]) -> tuple[str, list[Path]]:
    """The mode, and the images that it takes; none where a filter is missing."""
    candidates = AUTO if options.mode == "auto" else [(options.mode, roles) for roles in find_mode(options.mode).roles]
    for mode, roles in candidates:
        if all(role in by_role for role in roles):
            return mode, [by_role[role] for role in roles]
    return options.mode, []
