"""StarNet, played by a small program that does what it does: reads a TIFF and writes one."""

import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.image import Image, State

PROGRAM = """#!{python}
import os, sys, time
import numpy as np, tifffile
assert os.path.exists("weights.pb"), "no weights"
words = [w for w in sys.argv[1:] if not w.startswith("-")]
picture = tifffile.imread(words[0])
assert picture.dtype == np.uint16
time.sleep({wait})
tifffile.imwrite(words[1], np.minimum(picture, 20000))
print("done")
"""


@pytest.fixture
def starnet(tmp_path, monkeypatch):
    def install(name: str = "starnet++", wait: float = 0.0, body: str = PROGRAM) -> Path:
        folder = tmp_path / "star net"
        folder.mkdir(exist_ok=True)
        (folder / "weights.pb").write_bytes(b"w")
        program = folder / name
        program.write_text(body.format(python=sys.executable, wait=wait))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("STARNET_PATH", str(folder))
        return program

    return install


def picture(seed: int = 1) -> Image:
    data = 0.2 + 0.01 * np.random.default_rng(seed).random((3, 24, 32))
    data[:, 10, 12] = 0.9
    return Image(data, state=State.STRETCHED)


@pytest.mark.parametrize("name", ["starnet++", "starnet2"])
def test_stars_and_starless_come_from_the_program(starnet, name):
    starnet(name)
    image = picture()
    behind = step("extract:starless", star_method="starnet", grain=False)(image)
    stars = step("extract:stars", star_method="starnet")(image)
    np.testing.assert_allclose(behind.data + stars.data, image.data, atol=1e-4)
    assert behind.data[:, 10, 12].max() == pytest.approx(20000 / 65535, abs=1e-4)
    assert behind.state == State.STRETCHED


def test_two_run_at_once_and_leave_the_working_directory_alone(starnet, tmp_path, monkeypatch):
    """D90: the earlier program changed the directory of the whole process, and locked."""
    starnet(wait=0.5)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    images = [picture(seed) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(step("extract:starless", star_method="starnet", grain=False), images))
    assert Path.cwd() == tmp_path
    assert sorted(tmp_path.rglob("*")) == before
    for image, behind in zip(images, found):
        np.testing.assert_allclose(np.minimum(image.data, 20000 / 65535), behind.data, atol=1e-4)


def test_a_program_that_fails_is_quoted(starnet):
    starnet(body='#!{python}\nimport sys\nprint("no tensors today {wait}")\nsys.exit(3)\n')
    with pytest.raises(InputError, match=r"code 3.*no tensors today"):
        step("extract:starless", star_method="starnet", grain=False)(picture())


def test_without_the_program_it_says_where_it_looked(monkeypatch):
    monkeypatch.setenv("STARNET_PATH", os.devnull)
    with pytest.raises(InputError, match=r"not installed.*STARNET_PATH"):
        step("extract:starless", star_method="starnet", grain=False)(picture())


def test_linear_images_are_refused():
    with pytest.raises(InputError, match="stretched"):
        step("extract:starless", star_method="starnet")(Image(np.ones((9, 9))))
