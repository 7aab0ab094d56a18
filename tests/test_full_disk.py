"""A disk that takes no more: the file is named, what is needed is said, and nothing half written is left."""

import subprocess
import sys

import pytest

from firstlight.io.read import find_files, open_frames
from firstlight.pipeline.process import process
from firstlight.simulate.night import preset, simulate

resource = pytest.importorskip("resource", reason="this system sets no limits")
LINES = [
    "process NIGHT -o OUT/run -q",
    "stack NIGHT/Lights -o OUT/stack.fits -q",
    "combine OUT/colour.fits STACK STACK STACK --align none",
    "apply STACK OUT/stretched.fits stretch:asinh",
    "library build -s NIGHT --path OUT/library -q",
    "simulate OUT/night --preset tiny -q",
    "live NIGHT -o OUT/live --once -q",
    "organize NIGHT OUT/collection --link copy -q",
]


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full") / "night"
    simulate(folder, preset("tiny").model_copy(update={"n_lights": 3}))
    return folder, process(folder).stacks[0].files[0]


@pytest.mark.parametrize("line", LINES)
def test_the_file_is_named_and_nothing_is_left_of_it(line, night, tmp_path):
    folder, stack = night
    out = tmp_path / "out"
    words = [
        w.replace("NIGHT", str(folder)).replace("STACK", str(stack)).replace("OUT", str(out)) for w in line.split()
    ]
    done = subprocess.run(
        [sys.executable, "-m", "firstlight", *words], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    told = done.stderr.strip().splitlines()[-1]
    assert told.startswith(f"error: {out}/")
    assert "larger than this disk takes in one file (" in told
    assert told.endswith("choose another place for the output")
    assert not [path for path in out.rglob(".*") if path.suffix in (".fits", ".raw")]
    assert all(open_frames(path)[0].check() is None for path in find_files(out))
