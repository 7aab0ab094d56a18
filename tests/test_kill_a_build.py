"""A build of the library that is killed leaves whole masters or none, and the next one goes on (H6)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_at_any_moment_the_library_is_right_and_the_next_build_completes_it(tmp_path):
    program = Path(__file__).with_name("kill_a_build.py")
    environment = {"PYTHONPATH": ":".join([str(program.parent), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), "12"], env={**os.environ, **environment}, capture_output=True,
        text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "12 kills" in done.stdout
