"""StarNet, a program of others that takes stars out of stretched pictures by a learned network."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from firstlight.errors import InputError
from firstlight.io.pictures import write_picture
from firstlight.io.programs import private_folder, run_program
from firstlight.model.image import Image

NAMES = ("starnet2", "starnet++", "starnet", "rgb_starnet++")
SECONDS = 3600.0
STRIDE = "256"
"""px between its tiles: its own default."""


def find_starnet() -> Path | None:
    """The program: that of ``STARNET_BIN``, or in the folder ``STARNET_PATH``, or on the PATH; None where it is not."""
    named = os.environ.get("STARNET_BIN")
    folder = os.environ.get("STARNET_PATH")
    if named:
        path = Path(folder or ".", named)
        return path.resolve() if path.is_file() else None
    if folder:
        return next((Path(folder, name).resolve() for name in NAMES if Path(folder, name).is_file()), None)
    return next((Path(found).resolve() for name in NAMES if (found := shutil.which(name))), None)


def starless_by_starnet(image: Image, step: str) -> np.ndarray:
    """The picture (values of 0..1) without its stars, float32 (channel, y, x), as StarNet sees it.

    The program runs in a private temporary folder, in which what lies beside it (its weights) is linked; nothing else
    is touched, and any number may run at once.

    Raises
    ------
    InputError
        It is not installed, or failed; the message repeats what it said.
    FrameError
        It did not end within an hour.
    """
    from firstlight.io.read import read

    program = find_starnet()
    if program is None:
        raise InputError(
            f"{step}: StarNet is not installed (looked at STARNET_BIN, STARNET_PATH and for "
            f"{', '.join(NAMES)} on the PATH); it is at starnetastro.com; star_method=inpaint needs no other program"
        )
    with private_folder() as folder:
        for beside in program.parent.iterdir():
            # Weights are looked for where the program runs.
            if beside.suffix.lower() in (".pb", ".pt", ".onnx", ".h5", ".meta", ".index") or ".data-" in beside.name:
                (folder / beside.name).symlink_to(beside)
        source, target = folder / "picture.tif", folder / "starless.tif"
        write_picture(source, np.clip(image.data, 0, 1), bits=16)
        words = ["-i", source, "-o", target, "-s", STRIDE] if program.stem == "starnet2" else [
            source.name, target.name, STRIDE
        ]  # fmt: skip
        ran = run_program([program, *words], folder, seconds=SECONDS)
        if ran.code != 0 or not target.is_file():
            said = ran.last_words or "nothing"
            raise InputError(f"{step}: {program.name} ended with code {ran.code}, without a picture; it said: {said}")
        found = read(target).data
    found = found / np.float32(65535) if found.max() > 1.5 else found
    if found.shape != image.shape:
        raise InputError(
            f"{step}: {program.name} gave {found.shape[2]} x {found.shape[1]} px in {found.shape[0]} channels "
            f"for {image.shape[2]} x {image.shape[1]} in {image.shape[0]}"
        )
    return found.astype(np.float32)
