"""The steps of a session, each with the key of all it depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.io.content import content_hash, known_hash
from firstlight.io.frame import Frame, file_of
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.ops.calibrate.cosmic_rays import CosmicRays
from firstlight.ops.spec import parse_step
from firstlight.pipeline.clean import with_noise
from firstlight.pipeline.graph import Step, key_of
from firstlight.pipeline.settings import HOW, Settings

if TYPE_CHECKING:
    from firstlight.pipeline.group import Prepared
    from firstlight.pipeline.measure import Light

HashOf = Callable[[Path], str]
ASIDE = {*HOW, "output"}
"""Settings that change no pixel of a stack; of the output only the rejection maps are in its file."""


def plain(value: Any) -> Any:
    """A record as what JSON can hold; arrays as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(str(each) for each in value)
    return value


def light_name(frame: Frame) -> str:
    """A light's name among the steps: its path, and which of a file's exposures it is."""
    return str(frame.path) if frame.number is None else f"{frame.path}#{frame.number:04d}"


def facts_of_frame(frame: Frame) -> list[Any]:
    """All that a frame's header (and what stands beside it) has told; the pixels are told by the hash of the file."""
    meta = {f.name: plain(value) for f in fields(frame.meta) if (value := getattr(frame.meta, f.name)) is not None}
    cards = None if frame.plate is None else sorted(map(str, dict(frame.plate.cards).items()))
    return [
        str(frame.path), frame.number, frame.shape, frame.dtype.str, frame.zero, frame.scale, str(frame.unit),
        str(frame.state), frame.history, cards, meta,
    ]  # fmt: skip


def stack_settings(settings: Settings) -> dict[str, Any]:
    """The settings that a stack depends on, and that its file tells."""
    chosen = settings.model_dump(exclude=ASIDE)
    chosen["output"] = {"rejection_maps": settings.output.rejection_maps}
    return chosen


class SessionSteps:
    """Makes the steps of a session; ``hash_of`` tells the content of a file."""

    def __init__(self, settings: Settings, hash_of: HashOf = known_hash) -> None:
        self.settings, self.hash_of = settings, hash_of
        rule, named = settings.calibrate, settings.calibrate.bad_pixels
        self._cleaning = [
            named and content_hash(Path(named)), rule.cosmic_rays and CosmicRays().model_dump(), rule.banding,
            settings.stars.model_dump(), settings.normalize.mode == "local",
        ]  # fmt: skip
        mask = settings.registration.mask
        self._placing = [
            settings.registration.model_dump(), settings.match.model_dump(), mask and content_hash(Path(mask)),
        ]  # fmt: skip
        table = settings.normalize.weights_file if settings.normalize.weights == "csv" else ""
        self._stacking = [stack_settings(settings), table and content_hash(Path(table))]

    def master(self, plan: MasterPlan, name: str, keys: Callable[[MasterPlan], str]) -> Step:
        """The step that makes a master; ``keys`` tells those of the masters it is made with."""
        under = (plan.subtract, *(part for part, _ in plan.parts))
        needs = tuple(keys(each) for each in under if each is not None)
        frames = () if plan.parts else plan.frames
        inputs = {str(file_of(f)): self.hash_of(file_of(f)) for f in frames}
        facts = [facts_of_frame(f) for f in frames]
        factors = [factor for _, factor in plan.parts]
        key = key_of("master", plan.kind.value, inputs, facts, needs, factors, plan.notes, plan.sky, plan.ready)
        return Step("master", name, key, needs, inputs, {"kind": plan.kind.value, "factors": factors})

    def scale(self, assignment: Assignment, keys: Callable[[MasterPlan], str]) -> Step:
        """The step that looks for the scale of a light's dark."""
        return self._of_light("scale", assignment, keys, [assignment.find_scale, assignment.dark_scale])

    def measure(self, assignment: Assignment, keys: Callable[[MasterPlan], str], seeks_spikes: bool) -> Step:
        """The step that calibrates a light in memory and measures it."""
        asked = [assignment.dark_scale, seeks_spikes, *self._cleaning]
        return self._of_light("measure", assignment, keys, asked)

    def _of_light(self, kind: str, assignment: Assignment, keys: Callable[[MasterPlan], str], asked: list[Any]) -> Step:
        light = with_noise(assignment.light, self.settings.calibrate)
        needs = tuple(keys(m) for m in assignment.masters)
        file = file_of(light)
        inputs = {str(file): self.hash_of(file)}
        which = [m and keys(m) for m in (assignment.bias, assignment.dark, assignment.flat)]
        key = key_of(kind, inputs, facts_of_frame(light), which, asked)
        return Step(
            kind, str(light.path) + (f"#{light.number}" if light.number is not None else ""), key, needs, inputs
        )

    def place(self, light: Light, reference: Light) -> Step:
        """The step that finds where a light lies on the reference."""
        key = key_of("register", light.key, reference.key, self._placing)
        return Step("register", f"{light_name(light.frame)} on {reference.name}", key, (light.key, reference.key))

    def stack(
        self, ready: Sequence[Prepared], whole: Sequence[Prepared], masters: Callable[[Light], list[str]]
    ) -> Step:
        """The step that stacks registered groups; ``whole`` are those that they are parts of."""
        groups = []
        for prepared in ready:
            group = prepared.group
            lights = [
                [p.light.key, plain(p.registration.transform), p.registration.method, p.registration.n_matched,
                 p.flux_ratio, masters(p.light)]
                for p in prepared.placed
            ]  # fmt: skip
            groups.append([
                group.name, group.target, group.filter, group.exposure, group.part_of, prepared.reference.key,
                prepared.notes, sorted(prepared.set_aside.items()), lights,
                [[p.hub.key, plain(p.to_plane), [each.light.key for each in p.placed]] for p in prepared.panels],
            ])  # fmt: skip
        # Bad pixels are looked for in the lights of the whole group.
        seekers = [
            [[p.light.key, plain(p.registration.transform)] for p in prepared.placed if p.light.spikes is not None]
            for prepared in whole
        ]
        needs = tuple(dict.fromkeys(p.light.key for prepared in ready for p in prepared.placed))
        name = " + ".join(prepared.group.name for prepared in ready)
        return Step("stack", name, key_of("stack", groups, seekers, self._stacking), needs, {}, self._stacking[0])

    def picture(self, stack_key: str, name: str) -> Step:
        """The step that makes the pictures of a stack."""
        steps = [parse_step(text).pinned() for text in self.settings.output.picture_steps.split()]
        return Step("picture", name, key_of("picture", stack_key, name, steps), (stack_key,), {}, {"steps": steps})
