"""``firstlight observe``: at the telescope."""

from __future__ import annotations

import click

from firstlight.cli.observe_calibration import darks, flats
from firstlight.cli.observe_capture import sequence, snap
from firstlight.cli.observe_devices import check, devices, profile
from firstlight.cli.observe_focus import focus
from firstlight.cli.observe_goto import goto, park, stop, where
from firstlight.cli.observe_guide import calibrate, guide, guide_log
from firstlight.cli.observe_prompt import prompt


@click.group("observe")
def command() -> None:
    """Cameras, mount, wheel and focuser: take frames, focus, point, guide.

    \b
    firstlight observe devices                         what is connected
    firstlight observe profile new newton              a profile of it
    firstlight observe check                           how every device stands
    firstlight observe snap 5                          one frame, measured
    firstlight observe focus --filter L                V-curve, drawn
    firstlight observe goto M 27                       slew, solve, centre
    firstlight observe guide                           keep the mount on a star
    firstlight observe sequence night L:120x20 Ha:300x10 --object "M 27"
    firstlight observe flats night L Ha
    firstlight observe darks night --for lights --for flats --bias 50
    firstlight process night
    """


COMMANDS = (
    *(devices, profile, check, snap, focus, goto, where, sequence, flats, darks),
    *(guide, calibrate, guide_log, park, stop, prompt),
)

for each in COMMANDS:
    command.add_command(each)
