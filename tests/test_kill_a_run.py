"""A run that is killed goes on where it was: the same bytes, and no finished step is done again (H6)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_fifty_times_the_products_are_those_of_an_undisturbed_run(tmp_path):
    program = Path(__file__).with_name("kill_a_run.py")
    environment = {"PYTHONPATH": ":".join([str(program.parent), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), "50"], env={**os.environ, **environment}, capture_output=True,
        text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "50 kills" in done.stdout
