"""Draw docs/images/demo.jpg: one calibrated frame of the demo night beside the stack, stretched alike.

python docs/demo_picture.py demo/night
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import firstlight as fl
from firstlight.io.pictures import write_picture
from firstlight.model.image import State

LEFT, TOP, WIDTH, HEIGHT = 380, 380, 760, 700
STEPS = ("color:neutralize", "stretch:midtones")


def main(night: Path) -> None:
    results = night / "firstlight"
    masters = {path.name.split("_")[1]: fl.read(path) for path in (results / "masters").glob("*.fits")}
    stack = fl.read(next((results / "stacks").glob("*.fits")))
    single = fl.read(sorted((night / "Lights").glob("*.fits"))[0])
    single = fl.step("cal:subtractdark")(single, masters["dark"])
    single = fl.step("cal:divideflat")(single, masters["flat"])
    single = fl.apply(single, "cal:debayer")
    halves = [fl.apply(image.replace(state=State.LINEAR), *STEPS).data for image in (single, stack)]
    part = np.s_[:, TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]
    gap = np.ones((3, HEIGHT, 8), np.float32)
    target = Path(__file__).parent / "images" / "demo.jpg"
    write_picture(target, np.concatenate([halves[0][part], gap, halves[1][part]], axis=2))
    print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
