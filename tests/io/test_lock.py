import subprocess
import sys

import pytest

from firstlight.errors import InputError
from firstlight.io.lock import only_one

HOLD = """
import sys, time
from firstlight.io.lock import only_one
with only_one(sys.argv[1]):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(path, seconds):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_waits_and_is_told_for_whom(tmp_path):
    process = holder(tmp_path / "lock", 0.5)
    told = []
    with only_one(tmp_path / "lock", told.append):
        assert process.wait(10) == 0
    process.stdout.close()
    assert told == [f"another run (process {process.pid}) is writing here; waiting for it"]


def test_a_killed_holder_leaves_no_lock(tmp_path):
    process = holder(tmp_path / "lock", 60)
    process.kill()
    process.wait()
    process.stdout.close()
    told = []
    with only_one(tmp_path / "lock", told.append):
        assert told == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"), only_one(tmp_path / "file" / "lock"):
        pass
