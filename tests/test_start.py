"""How commands start: by modules that are imported, not by times."""

import subprocess
import sys

import numpy as np
import pytest

from firstlight.io.write import write
from firstlight.model.image import Image

PROGRAM = """
import sys
from firstlight.cli.main import be_program, run
be_program()
code = run({arguments})
print("loaded:", *sorted(name for name in {names} if name in sys.modules), "code:", code)
"""
SLOW = (
    "numba", "scipy", "astropy", "skimage", "matplotlib", "PIL", "photutils", "pandas", "rich", "http.client",
    "multiprocessing", "psutil", "yaml",
)  # fmt: skip


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.fits"
    write(path, Image(np.random.default_rng(1).normal(500, 10, (3, 32, 40)).astype(np.float32)))
    return path


def loaded(arguments):
    program = PROGRAM.format(arguments=[str(each) for each in arguments], names=SLOW)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *_, last = run.stdout.splitlines()
    words, _, code = last.removeprefix("loaded:").partition("code:")
    assert int(code) == 0, run.stderr
    return set(words.split())


COMMANDS = {
    "info": ["info", "IN"],
    "ops": ["ops"],
    "apply": ["apply", "IN", "OUT", "cal:constant:value=2"],
    "color:balance": ["color:balance", "IN", "OUT", "--red", "1.2"],
    "stack": ["stack", "--help"],
    "process": ["process", "--help"],
    "plan": ["plan", "--help"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_load_little(name, image, tmp_path):
    places = {"IN": image, "OUT": tmp_path / "out.fits"}
    assert loaded([places.get(word, word) for word in COMMANDS[name]]) == set()


def test_no_module_of_ours_loads_numba_in_a_program():
    program = (
        "import importlib, pkgutil, sys\n"
        "from firstlight.kernels.lean import be_program\n"
        "be_program()\n"
        "import firstlight.kernels, firstlight.ops, firstlight.pipeline, firstlight.library\n"
        "for package in (firstlight.kernels, firstlight.ops, firstlight.pipeline, firstlight.library):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "print('numba' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]
