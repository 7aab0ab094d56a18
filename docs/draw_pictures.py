"""Draw the pictures of docs/images anew: by the commands of the pages, without the paths of this machine.

python docs/draw_pictures.py m27 FRAMES       # the six frames of M 27, see docs/images/README.md
python docs/draw_pictures.py lrgb NIGHT       # after firstlight process NIGHT --recipe lrgb
python docs/draw_pictures.py report RUN       # after make demo: demo/night/firstlight; wants Chromium

"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image as Pillow

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
COMMENT = 0xFE


def commands_of(page: Path, heading: str) -> list[list[str]]:
    """The commands of a section of a page, as lists of words."""
    section = page.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    firstlight ([^\n]*(?:(?<=\\)\n[^\n]*)*)", section, re.MULTILINE)
    return [shlex.split(line.replace("\\\n", " "), comments=True) for line in lines]


def without_comments(jpeg: bytes) -> bytes:
    """The same picture without its comments: the story of a picture names files of the machine that made it."""
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        length = 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] != COMMENT:
            kept += jpeg[at : at + length]
        at += length
    return kept + jpeg[at:]


def m27(frames: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(frames, Path(folder, "m27"))
        for words in commands_of(DOCS / "pictures.md", "One-shot colour: M 27"):
            # Commands name files from where they are typed.
            subprocess.run([sys.executable, "-m", "firstlight", *words], cwd=folder, check=True)
        (IMAGES / "m27.jpg").write_bytes(without_comments(Path(folder, "m27.jpg").read_bytes()))


def lrgb(night: Path) -> None:
    picture = next((night / "firstlight" / "pictures").glob("*_LRGB.png"))
    with tempfile.TemporaryDirectory() as folder:
        done = Path(folder, "lrgb.jpg")
        with Pillow.open(picture) as image:
            image.save(done, quality=88, optimize=True, icc_profile=image.info["icc_profile"])
        (IMAGES / "lrgb.jpg").write_bytes(without_comments(done.read_bytes()))


def report(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        shot = Path(temporary, "report.png")
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,1560",
                f"--screenshot={shot}", (folder / "report.html").resolve().as_uri(),
            ],
            check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with Pillow.open(shot) as image:
            small = image.convert("RGB").resize((900, 1097), Pillow.Resampling.LANCZOS)
            small.save(IMAGES / "report.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    {"m27": m27, "lrgb": lrgb, "report": report}[sys.argv[1]](Path(sys.argv[2]))
