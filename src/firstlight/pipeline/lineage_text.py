"""How a file came about, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from firstlight.pipeline.lineage import Lineage, Source
from firstlight.pipeline.settings import HOW, Settings

MOST = 12
"""Frames listed one by one, unless all are asked for."""
_STATES = {"changed": "CHANGED since", "missing": "not there any more", "same": "unchanged", "": ""}


def explain_text(lineage: Lineage, *, everything: bool = False, check: bool = False) -> str:
    """What made a file: inputs, masters, steps, settings, versions, what was left out and why.

    Parameters
    ----------
    everything : bool
        Every frame and every setting; else the first of many frames, and the settings that are not the defaults.
    check : bool
        Read every input again and say whether it is still what it was.
    """
    lines = [f"{lineage.path.name}: {_headline(lineage)}", *_facts(lineage)]
    lines += _block("How it was made", _steps(lineage))
    for number, source in enumerate(lineage.masters):
        lines += [""] * (number == 0) + ["Masters" if lineage.kind == "stack" else "Further images"] * (number == 0)
        lines += _master_lines(source, everything, check)
    lines += _sources(lineage, everything, check)
    lines += _block(
        f"Set aside ({len(lineage.left_out)})",
        [f"{Path(name).name}: {_reason(name, why)}" for name, why in sorted(lineage.left_out.items())],
    )
    lines += _block("Notes", lineage.notes)
    if lineage.settings:
        lines += _block("Settings", _settings(lineage.settings, everything))
    if lineage.versions:
        lines += _block("Made with", [", ".join(f"{k} {v}" for k, v in lineage.versions.items())])
    for source in lineage.inputs:
        if source.of is not None and (source.of.story or source.of.steps):
            lines += ["", "-" * 72, explain_text(source.of, everything=everything, check=check)]
    return "\n".join(lines)


def _headline(lineage: Lineage) -> str:
    if lineage.kind == "stack":
        mode, number, word = lineage.facts.get("mode"), len(lineage.inputs), _inputs_are(lineage)
        what = f"{mode} of" if mode and word == "image" else "a stack of"
        return f"{what} {number} {word}{'' if number == 1 else 's'}"
    if lineage.kind.startswith("master"):
        return f"a {lineage.kind} of {len(lineage.inputs)} frames"
    if lineage.kind in ("image", "picture") and lineage.inputs:
        return f"{'a picture' if lineage.kind == 'picture' else 'made'} of {lineage.inputs[0].name}"
    if lineage.story:
        return lineage.kind
    return f"a {lineage.kind}, as a camera or another program left it: nothing is recorded of how it was made"


def _inputs_are(lineage: Lineage) -> str:
    """``light`` of a session's stack; `firstlight combine` takes images, `firstlight stack` any files."""
    return {"process": "light", "combine": "image"}.get(str(lineage.story.get("made_by", "")), "file")


def _facts(lineage: Lineage) -> list[str]:
    facts, lines = lineage.facts, []
    what = [str(facts[k]) for k in ("target", "filter") if facts.get(k)]
    if facts.get("total_exposure_s"):
        what.append(f"{facts['total_exposure_s']:g} s in all")
    elif facts.get("exposure_s"):
        what.append(f"{facts['exposure_s']:g} s")
    what += [str(facts[k]) for k in ("camera", "start") if facts.get(k)]
    if "from" in facts:
        what.append(f"taken {facts['from'][:16].replace('T', ' ')} to {facts.get('to', '')[:16].replace('T', ' ')} UTC")
    if what:
        lines.append("  " + ", ".join(what))
    if facts.get("noise_adu") and facts.get("single_noise_adu"):
        better = facts["single_noise_adu"] / facts["noise_adu"]
        lines.append(f"  noise {facts['noise_adu']:.3g} adu, {better:.2f} times below that of a frame")
    if facts.get("fwhm_px"):
        lines.append(f"  FWHM {facts['fwhm_px']:.2f} px; {facts.get('stars', 0)} stars")
    lines += [f"  {words}" for words in facts.get("noise_model", ())]
    return lines


def _steps(lineage: Lineage) -> list[str]:
    steps = [f"{number}. {step}" for number, step in enumerate(lineage.steps, 1)]
    if lineage.facts.get("method_chosen_by") == "auto":
        steps.append("   the method was chosen by the number of frames and what is known of them (auto)")
    return steps


def _block(title: str, lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _master_lines(source: Source, everything: bool, check: bool) -> list[str]:
    frames = source.facts.get("frames")
    what = [source.role] + ([f"{frames} frames"] if frames else [])
    if "lights" in source.facts:
        what.append(f"for {source.facts['lights']} lights")
    if source.facts.get("shared"):
        what.append("of the library")
    if not source.file.is_file():
        what.append("not there any more")
    lines = [f"  {source.name}: {', '.join(what)}"]
    lines += [f"      {why}" for why in source.facts.get("why", ())]
    if source.of is not None:
        lines += [f"      {step}" for step in source.of.steps]
        lines += [f"      note: {note}" for note in source.of.notes]
        lines += [f"      {line}" for line in _frame_lines(source.of.inputs, everything, check)]
        lines += [f"      set aside: {Path(n).name}: {_reason(n, why)}" for n, why in source.of.left_out.items()]
        for below in source.of.masters:
            lines += [f"    {line}" for line in _master_lines(below, everything, check)]
    return lines


def _sources(lineage: Lineage, everything: bool, check: bool) -> list[str]:
    if not lineage.inputs:
        return []
    many = len(lineage.inputs) > 1
    of_stack = f"{_inputs_are(lineage).capitalize()}s"
    title = of_stack if lineage.kind == "stack" else "Frames" if lineage.kind.startswith("master") else "Made of"
    return _block(
        f"{title} ({len(lineage.inputs)})" if many else title, _frame_lines(lineage.inputs, everything, check)
    )


def _frame_lines(sources: list[Source], everything: bool, check: bool) -> list[str]:
    shown = sources if everything or len(sources) <= MOST else sources[: MOST - 1]
    width = max((len(s.name) for s in shown), default=0)
    lines = []
    for source in shown:
        words = [source.name.ljust(width)]
        for name, form in (("weight", "weight {:.3f}"), ("scale", "scale {:.3f}"), ("rejected", "{:.2%} rejected")):
            if name in source.facts:
                words.append(form.format(source.facts[name]))
        if check and (state := _STATES[source.state()]):
            words.append(state)
        lines.append("  ".join(words).rstrip())
    if len(shown) < len(sources):
        lines.append(f"... and {len(sources) - len(shown)} more (--all lists them)")
    if check and len(shown) < len(sources):
        states = [s.state() for s in sources[len(shown) :]]
        odd = [f"{s.name}: {_STATES[state]}" for s, state in zip(sources[len(shown) :], states) if state != "same"]
        lines += odd or ["all of those unchanged"]
    return lines


def _reason(name: str, why: str) -> str:
    return why.removeprefix(Path(name).name + ": ")


def _settings(settings: Mapping[str, Any], everything: bool) -> list[str]:
    defaults = Settings().model_dump()
    lines, same = [], 0
    for key, value in _flat(settings):
        default: Any = defaults
        for part in key.split("."):
            default = default.get(part) if isinstance(default, Mapping) else None
        if value == default and not everything:
            same += 1
        elif key not in HOW:
            lines.append(f"{key} = {value if value != '' else repr('')}" + ("" if value == default else "  (chosen)"))
    if same:
        lines.append(f"{'the other' if lines else 'all'} {same} have their defaults (--all lists them)")
    return lines


def _flat(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{above}{key}.")
        else:
            rows.append((above + key, value))
    return rows
