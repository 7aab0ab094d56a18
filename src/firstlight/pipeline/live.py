"""Live stacking: watch a folder and add each new frame to a running stack."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firstlight.errors import FrameError, InputError
from firstlight.io.frame import Frame
from firstlight.io.read import find_files, open_frames
from firstlight.io.scratch import DecodedSource, Scratch, decoded
from firstlight.io.targets import check_folder
from firstlight.library.classify import classify, in_adu
from firstlight.model.meta import Kind
from firstlight.pipeline.executors import memory_budget, ordered, thread_count, thread_pool
from firstlight.pipeline.live_doubles import Doubles
from firstlight.pipeline.live_files import load_stack, save_stack, stacks_in
from firstlight.pipeline.live_masters import LiveMasters
from firstlight.pipeline.live_settings import LiveSettings
from firstlight.pipeline.measure import Light, measure_light
from firstlight.pipeline.output_folder import outside
from firstlight.pipeline.plan import OUTPUT, Group, group_lights
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.register import Placed, place
from firstlight.pipeline.running import FIRST, RunningStack
from firstlight.pipeline.select import reasons_after_registration, reasons_against
from firstlight.pipeline.watch import CALIBRATION, SET_ASIDE, STACKED, Journal, Watch

FEWEST_STARS = 6
"""A frame that shows fewer cannot be the reference."""
STRAY = 3
"""So many frames that do not match a reference that stands alone, and the reference is the stray one."""
MEMORY_SHARE = 0.6
"""Of the budget, for running stacks; the rest is for the frames in hand."""
SAVING_SHARE = 3.0
"""Between two savings lies at least this many times what the last one took: a burst is worked off, not written off."""
REMEMBERED = 60
"""Frames that a new one is compared with before it is let in."""


@dataclass(eq=False)
class LiveResult:
    """What a live session came to."""

    output: Path
    counts: Counter[str]
    """Frames by state."""
    stacks: list[tuple[str, int]]
    """Name and frames of each stack."""
    set_aside: dict[str, str]
    waiting: int = 0
    """Files that had been seen and not been worked on when the session was ended."""


def live(
    folder: str | Path,
    settings: LiveSettings | None = None,
    *,
    output: str | Path | None = None,
    masters: str | Path | None = None,
    once: bool = False,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> LiveResult:
    """Watch a folder and add each new light to the running stack of its target, filter and exposure.

    Parameters
    ----------
    folder : path
        Where the camera's program puts its frames (in any sub-folder).
    settings : LiveSettings, optional
    output : path, optional
        Where stacks, previews and the journal go; default ``folder/firstlight``.
    masters : path, optional
        Folder of masters, or of raw calibration frames, beside those that lie in ``folder`` at the start.
    once : bool
        Work on what is there, and end.
    stop : threading.Event, optional
        Ends the session, between two frames, when it is set.
    progress : Progress, optional
        Is told a sentence for each frame.

    Returns
    -------
    LiveResult
        Every frame has a state: stacked, set aside (with the reason) or calibration frame.

    Raises
    ------
    InputError
        There is no such folder; settings that a running stack cannot follow.

    Notes
    -----
    After a restart, also one after a crash, the session goes on where the files on the disk stand: the file of a stack
    names the frames in it, and it is written whole or not at all. What the journal calls stacked, but no file holds, is
    added again. Memory does not grow with the number of frames.
    """
    settings = settings or LiveSettings()
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give the one that the camera's program writes to")
    if settings.registration.framing != "reference":
        raise InputError("a running stack has the frame of its reference; --registration-framing union: use process")
    if settings.normalize.mode == "local" or settings.normalize.weights not in ("noise", "equal"):
        raise InputError("a running stack knows weights noise and equal, and no local normalisation: use process")
    target = Path(output) if output is not None else folder / OUTPUT
    check_folder(target)
    outside(find_files(folder), target)
    with thread_pool(settings.threads) as executor, Scratch(target) as scratch:
        session = _Live(folder, target, settings, executor, scratch, stop or threading.Event(), progress or Progress())
        session.take_calibration(None if masters is None else Path(masters))
        session.remember()
        session.run(once)
        return session.result()


@dataclass(eq=False)
class _Live:
    folder: Path
    output: Path
    settings: LiveSettings
    executor: Executor
    scratch: Path
    stop: threading.Event
    progress: Progress
    stacks: dict[str, RunningStack] = field(default_factory=dict)
    """Those in memory, the last used last."""
    past: dict[str, deque[Placed]] = field(default_factory=dict)
    """Of each stack, the last frames: what a new one is compared with."""
    strays: dict[str, list[str]] = field(default_factory=dict)
    """Frames that did not match a reference standing alone."""
    dirty: set[str] = field(default_factory=set)
    pending: deque[tuple[str, Frame]] = field(default_factory=deque)
    _saved: float = 0.0
    _saving: float = 0.0

    def __post_init__(self) -> None:
        self.run_settings = self.settings.as_run()
        self.workers = thread_count(self.settings.threads)
        self.budget = memory_budget(self.settings.memory)
        self.journal = Journal(self.output / "journal.jsonl")
        self.watch = Watch(self.folder, self.output, self.settings.settle, self.settings.patience)
        self.doubles = Doubles(self.settings.patience)

    def take_calibration(self, masters: Path | None) -> None:
        """Build or load the masters from what lies there now."""
        files = [path for path in find_files(self.folder) if self.output not in path.parents]
        files += find_files(masters) if masters is not None else []
        sightings = []
        for path in files:
            try:
                found = [classify(frame) for frame in open_frames(path)]
            except (FrameError, InputError):
                continue
            sightings += [s for s in found if s.kind not in (Kind.LIGHT, Kind.STACK, Kind.UNKNOWN)]
        self.masters = LiveMasters(
            self.run_settings, self.executor, self.workers, self.budget, self.scratch, self.progress
        )
        self.masters.prepare(self.folder, self.output, sightings)

    def remember(self) -> None:
        """Take up the state of an earlier session."""
        self.files = stacks_in(self.output / "stacks")
        held = {name for record in self.files.values() for name in record["frames"]}
        self.known = set(held)
        self.doubles.remember({name: record for name, record in self.journal.states.items() if name in held})
        for name, record in self.journal.states.items():
            if record["state"] == STACKED and name not in held:
                continue
            self.watch.done(self._path(name), tuple(record.get("stamp", (0, 0))))

    def _path(self, name: str) -> Path:
        return self.folder / name.partition("#")[0]

    def run(self, once: bool) -> None:
        if once:
            self.watch.settle = self.watch.patience = self.doubles.patience = 0.0
        try:
            while not self.stop.is_set():
                self._find()
                if self.pending:
                    self._work()
                elif once:
                    break
                self._save(at_rest=not self.pending)
                if not self.pending and not once:
                    self.stop.wait(self.settings.poll)
        finally:
            self._save(at_rest=True, always=True)

    def _find(self) -> None:
        """New files to the queue, which holds their names only: a burst of any length fits."""
        new = self.doubles.waiting()
        for path, content in self.watch.look():
            name = path.relative_to(self.folder).as_posix()
            if isinstance(content, str):
                self._settled(name, SET_ASIDE, content)
                continue
            for frame in content:
                full = name if frame.number is None else f"{name}#{frame.number:04d}"
                if full not in self.known:
                    new.append((full, frame))
        for name, frame in new:
            due, shown = self.doubles.is_due(name, frame)
            if shown is not None:
                self._settled(name, SET_ASIDE, f"a picture of {shown.name}; no frame of its own")
            elif due:
                self.pending.append((name, frame))

    def _settled(self, name: str, state: str, reason: str = "", **facts: Any) -> None:
        try:
            status = self._path(name).stat()
            facts["stamp"] = (status.st_size, status.st_mtime_ns)
        except OSError:
            pass
        self.journal.note(name, state, reason=reason, **facts)
        words = f"{state}: {reason.removeprefix(Path(name).name + ': ')}" if reason else state
        self.progress.say(f"{name}: {words}")

    def _work(self) -> None:
        """Some frames of the queue: measured side by side, added in their order."""
        batch = [self.pending.popleft() for _ in range(min(len(self.pending), 2 * self.workers))]
        outcomes = ordered(self.executor, self._look, batch, self.workers + 1)
        for (name, _), outcome in zip(batch, outcomes):
            if isinstance(outcome, Light):
                self._add(name, outcome)
            else:
                state, reason = outcome
                self._settled(name, state, reason)

    def _look(self, item: tuple[str, Frame]) -> Light | tuple[str, str]:
        """Calibrate and measure a frame; or what else becomes of it, and why."""
        _, frame = item
        try:
            sighting = classify(frame)
            if sighting.kind not in (Kind.LIGHT, Kind.UNKNOWN):
                return (SET_ASIDE, "is a stack") if sighting.kind is Kind.STACK else (CALIBRATION, "")
            sighting.frame.check()
            light = decoded(sighting.frame, self.scratch)
            assignment, calibration = self.masters.calibration_of(light)
            return measure_light(assignment, calibration, self.settings.stars)
        except (FrameError, InputError) as error:
            return SET_ASIDE, str(error)

    def _add(self, name: str, light: Light) -> None:
        """A measured frame to its stack, or aside."""
        key, group = self._group(light)
        if other := self.doubles.copied(name, light.frame):
            self._settled(name, SET_ASIDE, f"the same file as {other}, byte for byte; an exposure counts once")
            return
        try:
            if (stack := self._stack(key, group, name, light)) is None:
                reason = f"{light.quality.n_stars} stars; a stack cannot begin with fewer than {FEWEST_STARS}"
                self._settled(name, SET_ASIDE, reason)
                return
            placed = place(light, stack.reference, self.run_settings)
            if reason := self._against(key, placed):
                self._settled(name, SET_ASIDE, reason)
                return
            share = stack.add(name, placed)
        except (FrameError, InputError) as error:
            self._settled(name, SET_ASIDE, str(error))
            self._doubt_reference(key, name)
            return
        self.past.setdefault(key, deque(maxlen=REMEMBERED)).append(placed)
        self.dirty.add(key)
        self.strays.pop(key, None)
        content = self.doubles.stacked(name, light.frame)
        self._settled(name, STACKED, stack=stack.name, rejected=round(share, 5), fwhm=round(light.quality.fwhm, 3),
                      stars=light.quality.n_stars, content=content)  # fmt: skip
        if isinstance(light.frame.source, DecodedSource) and light is not stack.reference:
            light.frame.source.pixels.path.unlink(missing_ok=True)

    def _group(self, light: Light) -> tuple[str, Group]:
        """Frames of one key share a stack: nothing is ever mixed."""
        frame = light.frame
        group = group_lights([replace(light.assignment, light=frame)], self.folder.resolve().name)[0]
        meta = frame.meta
        what = (group.name.casefold(), frame.shape, meta.cfa, meta.binning, meta.camera, meta.gain_setting)
        return "|".join(map(str, what)), group

    def _stack(self, key: str, group: Group, name: str, light: Light) -> RunningStack | None:
        """The running stack of a key: in memory, from its file, or begun with this light (None: it cannot be)."""
        if key in self.stacks:
            self.stacks[key] = self.stacks.pop(key)
            return self.stacks[key]
        self._make_room(light)
        record = next((r for r in self.files.values() if r["key"] == key), None)
        if record is not None:
            stack = self._load(key, record)
        elif light.quality.n_stars < FEWEST_STARS and self.settings.registration.method == "stars":
            return None
        else:
            taken = {s.name for s in self.stacks.values()} | {path.stem for path in self.files}
            own = group.name
            for number in range(2, len(taken) + 3):
                if own not in taken:
                    break
                own = f"{group.name}_{number}"
            stack = RunningStack(own, group.target, light, self.run_settings, name)
        self.stacks[key] = stack
        return stack

    def _load(self, key: str, record: dict[str, Any]) -> RunningStack:
        """A stack from its file; frames that it held in memory only are measured and added again."""
        lights: dict[str, Light] = {}

        def measured(name: str) -> Light:
            if name not in lights:
                frames = open_frames(self.folder / name)
                found = self._look((name, in_adu(frames[0])))
                if not isinstance(found, Light):
                    raise FrameError(f"{name}: it was in the stack {record['name']}, and now {found[1]}")
                lights[name] = found
            return lights[name]

        try:
            stack = load_stack(record, measured(record["reference"]), self.run_settings)
        except (FrameError, InputError) as error:
            raise FrameError(
                f"the reference frame of {record['name']} is needed to go on with it: {error}; put it back, or move "
                f"{record['path']} away to begin anew"
            ) from error
        past = self.past.setdefault(key, deque(maxlen=REMEMBERED))
        for name in record["held"]:
            try:
                placed = place(measured(name), stack.reference, self.run_settings)
                stack.add(name, placed)
                past.append(placed)
            except (FrameError, InputError) as error:
                self._settled(name, SET_ASIDE, str(error))
        return stack

    def _make_room(self, light: Light) -> None:
        """Stacks that were not used for longest go to their files when the memory is needed."""
        channels = 3 if light.frame.meta.cfa else light.frame.shape[0]
        size = channels * light.frame.shape[1] * light.frame.shape[2] * (17 + 5 * FIRST)
        while self.stacks and (len(self.stacks) + 1) * size > MEMORY_SHARE * self.budget:
            key = next(iter(self.stacks))
            self._save_one(key)
            del self.stacks[key]

    def _against(self, key: str, placed: Placed) -> str:
        """Why a frame is not let in, judged by those before it; empty where it is good."""
        past = [*self.past.get(key, ()), placed]
        rule = self.settings.select
        return reasons_against([p.light for p in past], rule)[-1] or reasons_after_registration(past, rule)[-1]

    def _doubt_reference(self, key: str, name: str) -> None:
        """Begin anew where several frames do not match a reference that no other frame has matched."""
        stack = self.stacks.get(key)
        if stack is None or stack.n_frames > 1:
            return
        strays = self.strays.setdefault(key, [])
        strays.append(name)
        if len(strays) < STRAY:
            return
        del self.stacks[key], self.strays[key]
        self.past.pop(key, None)
        self.dirty.discard(key)
        for path, record in list(self.files.items()):
            if record["key"] == key:
                path.unlink(missing_ok=True)
                del self.files[path]
        self.doubles.dropped(stack.file)
        self._settled(stack.file, SET_ASIDE, f"none of the {STRAY} frames after it shows its stars")
        for stray in reversed(strays):
            number = stray.partition("#")[2]
            frames = open_frames(self._path(stray))
            self.pending.appendleft((stray, in_adu(frames[int(number) - 1 if number else 0])))

    def _save(self, *, at_rest: bool, always: bool = False) -> None:
        """Write the stacks that have grown: at rest at once, in a burst from time to time."""
        now = time.monotonic()
        wait = max(self.settings.every, 0.0 if at_rest else SAVING_SHARE * self._saving)
        if not self.dirty or (not always and now - self._saved < wait):
            return
        for key in sorted(self.dirty):
            self._save_one(key)
        self._saved = time.monotonic()
        self._saving = self._saved - now

    def _save_one(self, key: str) -> None:
        if key in self.dirty:
            self.dirty.discard(key)
            path, record = save_stack(self.stacks[key], key, self.output, self.settings.output)
            self.files[path] = record

    def result(self) -> LiveResult:
        states = self.journal.states
        aside = {name: r.get("reason", "") for name, r in states.items() if r["state"] == SET_ASIDE}
        stacks = sorted((record["name"], len(record["frames"])) for record in self.files.values())
        waiting = len(self.pending) + self.watch.n_growing + len(self.doubles.waiting())
        return LiveResult(self.output, self.journal.counts(), stacks, aside, waiting)
