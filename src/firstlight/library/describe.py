"""The library in words: the list, and all of one master."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from firstlight.io.frame import Frame
from firstlight.library.match import SENSOR_FIELDS, temperature_of
from firstlight.library.store import Entry
from firstlight.model.meta import Kind

HEADS = ("kind", "camera", "settings", "frames", "taken", "state", "name")


def list_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """One row for each master, as `HEADS` says."""
    return [
        (
            entry.kind.value,
            entry.frame.meta.camera or "unknown",
            settings_words(entry),
            str(entry.n_frames),
            _taken(entry),
            state_words(entry),
            entry.name,
        )
        for entry in entries
    ]


def settings_words(entry: Entry) -> str:
    """What a master is for: exposure, temperature, filter, gain, offset, mode, binning, as far as known."""
    meta = entry.frame.meta
    words = []
    if entry.kind is Kind.FLAT:
        words.append(meta.filter or "no filter")
        words += [meta.telescope] if meta.telescope else []
    elif entry.kind is Kind.DARK:
        words.append("exposure unknown" if meta.exposure is None else f"{meta.exposure:g} s")
    temperature = temperature_of(meta)
    if temperature is not None and entry.kind is not Kind.FLAT:
        words.append(f"{temperature:g} C")
    if meta.gain_setting is not None:
        words.append(f"gain {meta.gain_setting:g}")
    elif meta.gain is not None:
        words.append(f"{meta.gain:g} e-/adu")
    words += [f"offset {meta.offset:g}"] if meta.offset is not None else []
    words += [meta.readout_mode] if meta.readout_mode else []
    if meta.binning != (1, 1):
        words.append(f"bin {meta.binning[0]}x{meta.binning[1]}")
    _, height, width = entry.frame.shape
    words.append(f"{width} x {height}")
    return ", ".join(words)


def key_words(frame: Frame) -> str:
    """Everything that must agree between a frame and its master, as the header tells it.

    >>> from firstlight.model.meta import Meta
    >>> key_words(Frame(Path("a.fit"), (1, 4, 6), None, Meta(camera="SBIG", gain=2.06), None))
    'camera SBIG, 6 x 4 px, gain (e-/adu) 2.06; not told: serial number, gain setting, offset, readout mode'
    """
    meta = frame.meta
    told, missing = [], []
    for name, words in SENSOR_FIELDS.items():
        value = getattr(meta, name)
        if value is None:
            missing += [words] if name not in ("cfa", "gain") else []
        elif name == "binning":
            told += [f"bin {value[0]}x{value[1]}"] if value != (1, 1) else []
        elif name == "origin":
            told += [f"sub-frame at {value[0]}, {value[1]}"] if value != (0, 0) else []
        else:
            told.append(f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}")
    told.insert(1 if meta.camera else 0, f"{frame.shape[2]} x {frame.shape[1]} px")
    if meta.calibrated:
        told.append(f"already corrected for {', '.join(sorted(meta.calibrated))}")
    return ", ".join(told) + (f"; not told: {', '.join(missing)}" if missing else "")


def state_words(entry: Entry) -> str:
    """In a word or two: usable, or why not."""
    if entry.refused:
        return "refused"
    if entry.record.get("imported"):
        return "imported"
    return "bias inside" if entry.kind is Kind.DARK and "bias" not in entry.frame.meta.calibrated else "good"


def _taken(entry: Entry) -> str:
    first, last = (_day(entry.record.get(key)) for key in ("from", "to"))
    if first is None and entry.frame.meta.start is not None:
        first = last = entry.frame.meta.start.date()
    if first is None:
        return "unknown"
    return f"{first}" if last is None or last == first else f"{first} to {last}"


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def describe(entry: Entry) -> str:
    """All that is known of one master."""
    record, facts, meta = entry.record, entry.facts, entry.frame.meta
    lines = [f"{entry.name}", f"  file        {entry.frame.path}", f"  kind        master {entry.kind.value}"]
    lines.append(
        f"  camera      {meta.camera or 'unknown'}" + (f", serial number {meta.serial}" if meta.serial else "")
    )
    lines.append(f"  settings    {settings_words(entry)}")
    lines.append(f"  taken       {_taken(entry)}")
    done = ", ".join(sorted(meta.calibrated)) or "nothing"
    lines.append(f"  subtracted  {done}" + (f" ({record['subtracted']})" if record.get("subtracted") else ""))
    unit = "" if entry.kind is Kind.FLAT else " adu"
    if facts:
        lines.append(f"  level       {facts.get('level', float('nan')):.6g}{unit}")
        if "frame_noise" in facts:
            lines.append(f"  noise       {facts['noise']:.4g}{unit}; of one frame {facts['frame_noise']:.4g}{unit}")
        name = "hot" if entry.kind is Kind.DARK else "cold"
        if entry.kind is not Kind.BIAS:
            count, all_pixels = facts.get(name, 0), facts.get("pixels", 0) or 1
            lines.append(f"  {name:<10s}  {count:g} pixels, {100 * count / all_pixels:.3f} %")
    if record.get("verdict"):
        lines.append(f"  last one    {record['verdict']}")
    lines.append(f"  state       {'refused: too unlike the last one' if entry.refused else state_words(entry)}")
    lines += [f"  note        {note}" for note in record.get("notes", [])]
    inputs = list(entry.inputs.values())
    if inputs:
        lines.append(f"  frames      {len(inputs)}")
        lines += [f"    {i['hash'][:12]}  {str(i.get('start') or '')[:19]:<19s}  {i['file']}" for i in inputs]
    else:
        lines.append(f"  frames      {entry.n_frames}, which are not known")
    for path, reason in record.get("set_aside", {}).items():
        lines.append(f"    set aside  {Path(path).name}: {reason}")
    return "\n".join(lines)
