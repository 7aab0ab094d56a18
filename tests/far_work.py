"""Work that tests send to other processes, and how a test kills a worker."""

import os
import signal
from pathlib import Path

import psutil

from firstlight.pipeline.progress import Progress


def double(number):
    return 2 * number


def die_once(number, folder):
    """The first that does number 3 dies of it."""
    mark = Path(folder, "died")
    if number == 3 and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def always_die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number):
    raise KeyError(number)


class Killer(Progress):
    """Kills a worker in the middle of each of these stages."""

    def __init__(self, *stages):
        self.stages, self.stage, self.killed = list(stages), "", []

    def begin(self, stage, total, unit):
        self.stage = stage

    def advance(self, n=1):
        if self.stage in self.stages:
            self.stages.remove(self.stage)
            victim = workers_of(psutil.Process())[-1]
            victim.kill()
            self.killed.append(victim.pid)


def workers_of(process):
    """Processes without children that Python started, below a process."""
    below = [child for child in process.children(recursive=True) if not child.children()]
    return [child for child in below if "spawn_main" in " ".join(child.cmdline())]
