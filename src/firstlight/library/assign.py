"""Plan the masters of a session and give every light its own, with the reasons in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firstlight.io.frame import Frame
from firstlight.library.classify import Sighting
from firstlight.library.explain import chosen_words, passed_over, why_not
from firstlight.library.group import group_alike
from firstlight.library.match import NEEDS, Fit, Need, best, same_exposure
from firstlight.library.mixture import dark_of_exposure, dark_of_temperature
from firstlight.library.plans import FEW, Assignment, Calibrations, MasterPlan, Rules
from firstlight.model.meta import Kind

MASTER_KINDS = {
    Kind.MASTER_BIAS: Kind.BIAS,
    Kind.MASTER_DARK: Kind.DARK,
    Kind.MASTER_FLAT: Kind.FLAT,
}
FEWEST_FOR_SKY = 7
"""Lights that a flat can be made of: fewer leave their stars in it."""


def plan_calibrations(
    sightings: Sequence[Sighting], rules: Rules | None = None, shelf: Sequence[MasterPlan] = ()
) -> Calibrations:
    """Group calibration frames into masters and assign them.

    The bias rule: a raw dark holds the bias, so a light (or flat) with a dark of its exposure gets that dark and no
    bias. A dark that lost its bias goes together with a bias. Without a dark of the exposure the light gets the bias
    alone; only where ``rules`` ask for it a dark of another exposure or temperature is scaled, or one is interpolated.

    Parameters
    ----------
    sightings : frames of the session
    rules : Rules, optional
    shelf : masters of libraries; those of the session go first.
    """
    rules = rules or Rules()
    by_kind: dict[Kind, list[Frame]] = {kind: [] for kind in Kind}
    for sighting in sightings:
        by_kind[sighting.kind].append(sighting.frame)

    def masters(kind: Kind) -> list[MasterPlan]:
        return [
            MasterPlan(kind, tuple(group), notes=few_words(kind, len(group)))
            for group in group_alike(by_kind[kind], NEEDS[kind], epoch=rules.epoch, fewest=FEW[kind])
        ]

    ready = {kind: [MasterPlan(kind, (f,), ready=True) for f in by_kind[m]] for m, kind in MASTER_KINDS.items()}
    biases = [*masters(Kind.BIAS), *ready[Kind.BIAS]]
    darks = [*masters(Kind.DARK), *ready[Kind.DARK]]
    dark_flats = masters(Kind.DARK_FLAT)
    chooser = Chooser([*biases, *darks, *dark_flats, *shelf], rules)
    flats = [chooser.with_under(flat) for flat in masters(Kind.FLAT)] + ready[Kind.FLAT]
    chooser.add(flats)
    assignments = [chooser.assign(light) for light in by_kind[Kind.LIGHT]]
    sky = _sky_flats(assignments, chooser) if rules.sky_flats else []
    if sky:
        chooser.add(sky)
        assignments = [chooser.assign(a.light) if a.flat is None else a for a in assignments]
    made = (*biases, *darks, *dark_flats, *flats, *sky, *chooser.mixed)
    return Calibrations(made, tuple(assignments), tuple(shelf))


def few_words(kind: Kind, n: int) -> tuple[str, ...]:
    """The remark on a master of few frames."""
    frames = "1 frame" if n == 1 else f"{n} frames"
    return (f"only {frames}; {FEW[kind]} or more keep its noise out of the lights",) if n < FEW[kind] else ()


def _sky_flats(assignments: Sequence[Assignment], chooser: Chooser) -> list[MasterPlan]:
    """Flats made of the lights that have none."""
    bare = [a.light for a in assignments if a.flat is None and "flat" not in a.light.meta.calibrated]
    need = replace(NEEDS[Kind.FLAT], exposure=True)
    flats = []
    for group in group_alike(bare, need):
        if len(group) >= FEWEST_FOR_SKY:
            words = f"made of {len(group)} lights: good where the sky was bright and the telescope moved between them"
            flats.append(chooser.with_under(MasterPlan(Kind.FLAT, tuple(group), notes=(words,), sky=True)))
    return flats


class Chooser:
    """Masters to choose from, and the darks that were mixed of them on request."""

    def __init__(self, masters: Sequence[MasterPlan], rules: Rules) -> None:
        self.rules = rules
        self.masters: dict[Kind, list[MasterPlan]] = {kind: [] for kind in FEW}
        self.mixed: list[MasterPlan] = []
        self._mixes: dict[tuple[object, ...], MasterPlan] = {}
        self.add(masters)

    def add(self, masters: Sequence[MasterPlan]) -> None:
        for master in masters:
            self.masters[master.kind].append(master)

    def choose(
        self, frame: Frame, kind: Kind, need: Need | None = None, among: Sequence[MasterPlan] | None = None
    ) -> tuple[MasterPlan | None, Fit, list[tuple[MasterPlan, Fit]]]:
        """The best master of a kind, how it fits, and how all of them do."""
        masters = self.masters[kind] if among is None else list(among)
        index, fit, fits = best(
            frame, [(m.like, m.n_frames) for m in masters], need or NEEDS[kind],
            shared=[m.shared for m in masters], own_first=self.rules.own_first,
        )  # fmt: skip
        return (None if index is None else masters[index]), fit, list(zip(masters, fits))

    def with_under(self, flat: MasterPlan) -> MasterPlan:
        """A flat with what is to be subtracted from its frames: a dark flat or dark of its exposure, else the bias."""
        like = flat.like
        done = like.meta.calibrated
        if "dark" in done or "bias" in done:
            return replace(flat, notes=(*flat.notes, "its frames are bias- or dark-subtracted already"))
        if like.meta.exposure is not None:
            fitting = [
                m
                for m in (*self.masters[Kind.DARK_FLAT], *self.masters[Kind.DARK])
                if same_exposure(m.like.meta.exposure, like.meta.exposure) and "bias" not in m.like.meta.calibrated
            ]
            dark, _, _ = self.choose(like, Kind.DARK, among=fitting)
            if dark is not None:
                return replace(flat, subtract=dark)
        bias, _, _ = self.choose(like, Kind.BIAS)
        if bias is not None:
            return replace(flat, subtract=bias)
        note = "neither dark flat nor bias fits: its pedestal stays in and the correction is too weak"
        return replace(flat, notes=(*flat.notes, note))

    def assign(self, light: Frame) -> Assignment:
        """The masters of one light, and why."""
        done = light.meta.calibrated
        given = Assignment(light)
        if "dark" in done:
            given = _because(given, "dark: already subtracted, the header says")
        else:
            given = self._dark(given)
        if given.bias is None and given.dark is None and "bias" in done:
            given = _because(given, "bias: already subtracted, the header says")
        elif given.bias is None and given.dark is None and "dark" not in done:
            given = self._bias(given)
        elif given.dark is not None and given.bias is None:
            given = _because(given, "bias: not needed, the dark holds it" if "bias" not in done else "bias: subtracted")
        if "flat" in done:
            return _because(given, "flat: already divided, the header says")
        flat, fit, fits = self.choose(light, Kind.FLAT)
        if flat is None:
            return _because(given, f"flat: {why_not('flat', fits)}")
        return _chosen(replace(given, flat=flat), "flat", flat, fit, fits)

    def _bias(self, given: Assignment) -> Assignment:
        bias, fit, fits = self.choose(given.light, Kind.BIAS)
        if bias is None:
            return _because(given, f"bias: {why_not('bias', fits)}")
        return _chosen(replace(given, bias=bias), "bias", bias, fit, fits)

    def _dark(self, given: Assignment) -> Assignment:
        light = given.light
        bias, bias_fit, bias_fits = self.choose(light, Kind.BIAS)
        _, _, all_fits = self.choose(light, Kind.DARK)
        # A dark without bias is of use only beside a bias.
        among = [m for m, fit in all_fits if bias is not None or not fit.wants_bias]
        dark, fit, fits = self.choose(light, Kind.DARK, among=among)
        if self.rules.interpolate_temperature and (dark is None or fit.warnings):
            exact = [m for m, f in all_fits if f.usable and not f.wants_bias and _only_temperature(f)]
            mixed = dark_of_temperature(light, exact)
            if mixed is not None:
                return self._mixed(given, mixed)
        if self.rules.optimize_darks != "no" and dark is not None and (fit.warnings or "temperature" in fit.unknown):
            scaled = self._scaled(given, bias, dark)
            if scaled is not None:
                return scaled
        if dark is not None:
            if fit.wants_bias and bias is not None:
                given = _chosen(replace(given, bias=bias), "bias", bias, bias_fit, bias_fits)
                given = _because(given, "bias: subtracted beside the dark, which has lost its own")
            return _chosen(replace(given, dark=dark), "dark", dark, fit, fits)
        if self.rules.interpolate_exposure:
            mixed = self._line(light, bias)
            if mixed is not None:
                return self._mixed(given, mixed)
        if self.rules.scale_darks or self.rules.optimize_darks != "no":
            scaled = self._scaled(given, bias)
            if scaled is not None:
                return scaled
        reason = why_not("dark", all_fits)
        if len(among) < len(all_fits) and dark is None and any(f.usable for _, f in all_fits):
            reason = "the one that fits has lost its bias, and no bias fits"
        given = _because(given, f"dark: {reason}")
        return replace(given, warnings=(*given.warnings, "no dark fits")) if all_fits else given

    def _other_exposures(self, light: Frame) -> list[MasterPlan]:
        """Raw darks that fit but for their exposure, nearest in temperature and date first."""
        need = replace(NEEDS[Kind.DARK], exposure=False)
        _, _, fits = self.choose(light, Kind.DARK, need)
        usable = [(m, f) for m, f in fits if f.usable and not f.wants_bias and m.like.meta.exposure]
        usable.sort(key=lambda pair: (bool(pair[1].warnings), pair[0].shared, pair[1].distance, pair[0].name))
        return [m for m, f in usable if not f.warnings] or [m for m, _ in usable]

    def _line(self, light: Frame, bias: MasterPlan | None) -> MasterPlan | None:
        return dark_of_exposure(light, self._other_exposures(light), bias)

    def _mixed(self, given: Assignment, mixed: MasterPlan) -> Assignment:
        key = tuple((id(part), factor) for part, factor in mixed.parts)
        known = self._mixes.setdefault(key, mixed)
        if known is mixed:
            self.mixed.append(mixed)
        mixed = known
        return _because(replace(given, dark=mixed), f"dark: {mixed.name}, interpolated on request {mixed.notes[0]}")

    def _scaled(self, given: Assignment, bias: MasterPlan | None, dark: MasterPlan | None = None) -> Assignment | None:
        light = given.light
        exposure = light.meta.exposure
        darks = self._other_exposures(light) if dark is None else [dark]
        darks = [d for d in darks if d.like.meta.exposure]
        if bias is None or not darks or not exposure or "bias" in light.meta.calibrated:
            return None
        dark = min(darks, key=lambda d: (abs((d.like.meta.exposure or 0) - exposure), d.shared, d.name))
        scale = exposure / dark.like.meta.exposure  # type: ignore[operator]
        how = self.rules.optimize_darks
        words = f"scaled by {scale:.3f}, on request" if how == "no" else f"scaled to the least {how} of each light"
        return _because(
            replace(given, bias=bias, dark=dark, dark_scale=scale, find_scale=how),
            f"dark: {dark.name} {words}; bias: {bias.name}",
        )


def _only_temperature(fit: Fit) -> bool:
    return all(w.startswith("temperature") for w in fit.warnings)


def _because(given: Assignment, reason: str) -> Assignment:
    return replace(given, reasons=(*given.reasons, reason))


def _chosen(
    given: Assignment, kind: str, master: MasterPlan, fit: Fit, fits: Sequence[tuple[MasterPlan, Fit]]
) -> Assignment:
    given = _because(given, chosen_words(kind, given.light, master, fit))
    if other := passed_over(kind, master, fit, fits):
        given = _because(given, other)
    return replace(given, warnings=(*given.warnings, *(f"{kind}: {w}" for w in fit.warnings)))
