"""The loop of guiding: expose, find the star, give pulses; and what a sequence asks of it."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Camera, Clock, GuidePort, Mount, SystemClock
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.calibrate import calibrate
from firstlight.observe.guiding.control import axes_of
from firstlight.observe.guiding.dither import random_place
from firstlight.observe.guiding.frames import take_frame
from firstlight.observe.guiding.plausible import refuse_unlikely, refuse_unready
from firstlight.observe.guiding.runaway import Runaway
from firstlight.observe.guiding.settings import GuideSettings
from firstlight.observe.guiding.settling import Settling
from firstlight.observe.guiding.step import GuideStep
from firstlight.observe.guiding.track import Offset, StarsLost, Tracker
from firstlight.observe.guiding.watcher import Watcher

DITHER_AGGRESSIVENESS = 0.8
UNSTEADY, DITHERING = 2.0, 4.0
"""Longest pulses while guiding is not steady, and while it dithers, against steady ones."""
SIMILAR = 0.5
"""Share of the stars of before, and of their light, that has to be seen before guiding begins anew."""
WAIT = 0.2
"""s between two looks at a loop that works in another thread."""
END = 30.0
"""s beyond an exposure within which the loop ends."""


class Guider:
    """Keeps the mount on its star. It is `Dithering`: a sequence can start, dither and stop it.

    Nothing moves any more after `stop`, after an error, and after Ctrl-C.
    """

    def __init__(
        self,
        camera: Camera,
        port: GuidePort,
        settings: GuideSettings = GuideSettings(),
        *,
        mount: Mount | None = None,
        calibration: Calibration | None = None,
        clock: Clock | None = None,
        dark: np.ndarray | None = None,
        scale: float | None = None,
        watchers: tuple[Watcher, ...] = (),
        keep: Callable[[Calibration], None] = lambda calibration: None,
    ) -> None:
        """Nothing is touched yet.

        Parameters
        ----------
        mount : tells declination and side of the pier, where the port is not the mount itself.
        calibration : an earlier one; without, `start` calibrates.
        dark : of the same exposure and binning as the guide frames.
        scale : arcsec/px of the guide frames.
        keep : is given each new calibration.
        """
        self.camera, self.port, self.settings = camera, port, settings
        self.mount = mount or (port if isinstance(port, Mount) else None)
        self.clock = clock or SystemClock()
        self.scale = scale
        self.calibration = calibration
        self.here: Calibration | None = None
        """The calibration at this declination, on this side of the pier."""
        self.lock = (0.0, 0.0)
        """Where the star should be, against where it was at first, px."""
        self.origin: Offset | None = None
        """The brightest star as guiding began."""
        self._dark, self._watchers, self._keep = dark, watchers, keep
        self._rng = np.random.default_rng(settings.seed)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._state = threading.Condition()
        self.problem: BaseException | None = None
        """What ended guiding, if it was not `stop`."""
        self._settling: Settling | None = None
        self._wish: tuple[float, float] | None = None
        self._running = False

    def start(self) -> None:
        """Calibrate where that is needed, begin to guide in a thread, and return when it has settled.

        Where it does not settle in time this returns too, and `settled` is False.

        Raises
        ------
        EquipmentError
            No star, no answer of the mount, or a device that fails.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        self.begin()
        self._thread = threading.Thread(target=self._loop, name="guiding", daemon=True)
        self._thread.start()
        self._wait()

    def stop(self) -> None:
        """End guiding; no pulse is under way afterwards.

        Raises
        ------
        EquipmentError
            The mount cannot be told to stop, and that is news.
        """
        self._stopping.set()
        try:
            if self._thread is not None and self._thread is not threading.current_thread():
                self._quiet()
                self._thread.join(END + self.settings.exposure)
                self._thread = None
            self.port.stop()
        except EquipmentError:
            if self.problem is None:
                raise
        finally:
            self._end()

    def dither(self, pixels: float) -> None:
        """Move to a random place within ``pixels`` of the first one, in x and y, and wait until that has settled."""
        if not self._running:
            raise EquipmentError(f"guiding: {self._why() or 'has not begun'}; start it before a dither")
        self.wish(pixels)
        if self._thread is not None:
            self._wait()

    def settled(self) -> bool:
        """Whether the star has been where it should be for long enough, and guiding goes on."""
        with self._state:
            return self._running and self._settling is not None and self._settling.state == "settled"

    @property
    def running(self) -> bool:
        """Whether frames are taken and pulses given."""
        return self._running

    def begin(self) -> None:
        """Calibrate where needed, and take the first frame. `step` follows."""
        self._stopping.clear()
        self.problem = None
        try:
            refuse_unready(self.mount)
            fresh = self.calibration is None
            (self.calibration or self._calibrated()).check()
            self._be_here(keep_drift=fresh)
            self._tracker = Tracker(self.settings.track, self._dark)
            self.origin = self._first_star()
        except BaseException:
            self._quiet()
            raise
        self.lock, self._wish = (0.0, 0.0), None
        self._start = self.clock.now()
        self._frames = self._losses = 0
        self._last_good = self._before = 0.0
        self._last: GuideStep | None = None
        self._dithering = False
        self._runaway = Runaway(self.settings.settle.pixels)
        with self._state:
            self._settling, self._running = Settling(self.settings.settle, 0.0), True
        self._tell("guiding_begins", self)
        self._tell("settling", "settling")

    def _be_here(self, keep_drift: bool = False) -> None:
        """Take the calibration to where the mount points now; a drift is another one elsewhere, or at another time."""
        self.here = self.calibration
        if self.mount is not None and self.calibration is not None:
            dec, side = self.mount.position.dec, self.mount.pier_side
            self.here = self.calibration.at(dec, side, self.settings.reverse_dec_after_flip)
        drift = self.here.drift if keep_drift else (0.0, 0.0)  # type: ignore[union-attr]
        self._axes = axes_of(self.here, self.settings.control, drift)  # type: ignore[arg-type]

    def step(self) -> GuideStep:
        """One frame, and the pulses that it asks for.

        Raises
        ------
        EquipmentError
            A device failed, or the star has been away for too long. Nothing moves any more.
        """
        try:
            done = self._step()
        except BaseException as error:
            # An exposure that `stop` has ended is no problem.
            self.problem = None if self._stopping.is_set() else error
            self._quiet()
            self._end()
            raise
        self._tell("step", done)
        return done

    def wish(self, pixels: float) -> None:
        """Dither with the next frame."""
        with self._state:
            self._wish = random_place(self._rng, pixels, self.lock)
            self._settling = Settling(self.settings.settle, self._elapsed())

    def shift(self, dx: float, dy: float) -> None:
        """Keep the star so many px further on the sensor, from the next frame on."""
        with self._state:
            self._wish = (self.lock[0] + dx, self.lock[1] + dy)
            self._settling = Settling(self.settings.settle, self._elapsed())

    def flip(self) -> None:
        """The telescope is on the other side of the pier, which the mount does not tell."""
        if self.calibration is None:
            raise EquipmentError("guiding: there is no calibration that could be turned over; calibrate first")
        self.calibration = self.calibration.flipped(self.settings.reverse_dec_after_flip)

    def change(self, settings: GuideSettings) -> None:
        """Guide on with other settings; what has been learned stays."""
        self.settings = settings
        if self.here is not None and self._running:
            for axis, fresh in zip(self._axes, axes_of(self.here, settings.control)):
                axis.manner = fresh.manner

    def _loop(self) -> None:
        try:
            while not self._stopping.is_set():
                self.step()
        except BaseException:
            # `step` has kept it for whoever waits.
            return
        finally:
            self._end()

    def _step(self) -> GuideStep:
        self._move_lock()
        data = take_frame(self.camera, self.settings)
        now = self._elapsed()
        self._frames += 1
        seconds, self._before = now - self._before, now
        try:
            offset = self._tracker.find(data)
            dx, dy = offset.dx - self.lock[0], offset.dy - self.lock[1]
            found = GuideStep(self._frames, now, dx, dy)
            refuse_unlikely(found, self._last, self.settings.track, self.here, self.scale)  # type: ignore[arg-type]
        except StarsLost as error:
            return self._lost(str(error), data, now)
        if self._losses:
            self._tell("info", f"star found again after {self._losses} frames")
        self._losses, self._last_good = 0, now
        distance = math.hypot(dx, dy)
        near = distance <= self.settings.settle.pixels
        self._dithering = self._dithering and not near
        steady = near and not self._dithering
        self._see(now, distance)
        c, ra, dec = self.settings.control, *self.here.components(dx, dy)  # type: ignore[union-attr]
        longest = c.max_pulse * self.settings.exposure * (DITHERING if self._dithering else 1.0 if steady else UNSTEADY)
        share = DITHER_AGGRESSIVENESS if self._dithering else None
        pulses = [
            axis.step(place, seconds, longest, learn=steady, forced=self._dithering, aggressiveness=share)
            for axis, place in zip(self._axes, (ra, dec))
        ]
        done = GuideStep(
            self._frames, now, dx, dy, ra, dec, pulses[0], pulses[1], offset.flux, offset.snr, offset.n_stars,
            dithering=self._dithering,
        )  # fmt: skip
        self._last = done
        if self._runaway.sees(distance, any(pulses)):
            raise EquipmentError(
                f"guiding: pulses drive the star away, it is {distance:.0f} px from its place: the calibration does "
                "not hold; calibrate again (`firstlight observe calibrate`), and see `reverse_dec_after_flip`"
            )
        if any(pulses) and not self._stopping.is_set():
            self.port.pulse(pulses[1], pulses[0])
        return done

    def _lost(self, reason: str, data: np.ndarray, now: float) -> GuideStep:
        """No pulses; and after many such frames guiding begins anew on the stars that are there."""
        self._losses += 1
        self._last = None
        self._runaway.forget()
        for axis in self._axes:
            axis.forget()
        self._see(now, None)
        limit = self.settings.give_up_after
        if limit and now - self._last_good > limit:
            raise EquipmentError(
                f"guiding: the star has been lost for {now - self._last_good:.0f} s ({reason}); "
                f"{limit:g} s are waited for: look for clouds, dew or a mount that does not track"
            )
        if self._losses >= self.settings.restart_after:
            fresh = Tracker(self.settings.track, self._dark)
            try:
                found = fresh.begin(data)
            except StarsLost:
                pass
            else:
                # What shines through clouds is few, faint, or no star at all.
                clear = fresh.light >= SIMILAR * self._tracker.light
                if clear and found.n_stars >= SIMILAR * (self.origin.n_stars if self.origin else 1):
                    self._tracker, self.origin, self.lock, self._losses = fresh, found, (0.0, 0.0), 0
                    # The mount may have gone over to the other side of the pier meanwhile.
                    self._be_here()
                    self._tell("info", "guiding begins anew where the stars are now")
        return GuideStep(self._frames, now, lost=reason, dithering=self._dithering)

    def _move_lock(self) -> None:
        with self._state:
            wish, self._wish = self._wish, None
        if wish is None:
            return
        dx, dy = wish[0] - self.lock[0], wish[1] - self.lock[1]
        east, north = self.here.components(-dx, -dy)  # type: ignore[union-attr]
        self._axes[0].shift(east)
        self._axes[1].shift(north)
        if self._last is not None:
            self._last = replace(self._last, dx=self._last.dx - dx, dy=self._last.dy - dy)
        self.lock, self._dithering = wish, True
        self._runaway.forget()
        x, y = self.origin.place if self.origin else (0.0, 0.0)
        self._tell("dithered", dx, dy, (x + wish[0], y + wish[1]))
        self._tell("settling", "settling")

    def calibrate(self) -> Calibration:
        """Measure what pulses do, and guide with that from now on."""
        refuse_unready(self.mount)
        return self._calibrated()

    def _calibrated(self) -> Calibration:
        self._tell("calibration_begins", self)
        found = calibrate(
            self.camera, self.port, self.settings, clock=self.clock, dark=self._dark, scale=self.scale,
            tell=lambda step: self._tell("calibration_step", step),
        )  # fmt: skip
        if self.mount is not None:
            found = replace(found, dec=self.mount.position.dec, pier_side=self.mount.pier_side)
        self.calibration = found
        self._keep(found)
        self._tell("calibrated", found)
        return found

    def _first_star(self) -> Offset:
        problem = ""
        for _ in range(self.settings.restart_after):
            try:
                return self._tracker.begin(take_frame(self.camera, self.settings))
            except StarsLost as error:
                problem = str(error)
        raise EquipmentError(
            f"guiding: {problem}, on {self.settings.restart_after} frames; focus the guide scope, take longer "
            "exposures, or wait for the clouds to pass"
        )

    def _see(self, now: float, distance: float | None) -> None:
        with self._state:
            before = self._settling.state if self._settling else ""
            # A wish that the loop has not seen yet is not answered by the place before it.
            state = self._settling.see(now, distance) if self._settling and self._wish is None else before
            self._state.notify_all()
        # What was settled and is not any more is told as a lost star.
        if state != before and before != "settled":
            self._tell("settling", state)

    def _wait(self) -> None:
        """Until it is settled or has failed to; an error of the loop is raised here."""
        try:
            with self._state:
                while self._running and self._settling and self._settling.state == "settling":
                    self._state.wait(WAIT)
        except BaseException:
            self.stop()
            raise
        if not self._running and self.problem is not None:
            raise EquipmentError(self._why()) from self.problem

    def _why(self) -> str:
        return f"has ended: {self.problem}" if self.problem is not None else ""

    def _quiet(self) -> None:
        """Nothing exposes, nothing moves; what has gone wrong before is what matters."""
        for end in (self.camera.abort, self.port.stop):
            with contextlib.suppress(EquipmentError):
                end()

    def _end(self) -> None:
        with self._state:
            was, self._running = self._running, False
            self._state.notify_all()
        if was:
            self._tell("guiding_ends")

    def _elapsed(self) -> float:
        return (self.clock.now() - self._start).total_seconds()

    def _tell(self, what: str, *given: object) -> None:
        for watcher in self._watchers:
            getattr(watcher, what)(*given)
