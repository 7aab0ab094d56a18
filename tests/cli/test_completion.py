"""``firstlight completion``: the script, and what the shell is answered."""

import os
import subprocess
import sys

import pytest

from firstlight.cli.main import run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_firstlight(shell, capsys):
    assert run(["completion", shell]) == 0
    assert f"_FIRSTLIGHT_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "answer"),
    [("firstlight re", "plain,recipe"), ("firstlight process --stack-meth", "plain,--stack-method")],
)
def test_words_are_completed(words, answer):
    environment = {
        **os.environ, "_FIRSTLIGHT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "firstlight"], env=environment, capture_output=True, text=True, check=False
    )
    assert answer in done.stdout.split()


def test_bash_takes_the_script(tmp_path):
    script = subprocess.run([sys.executable, "-m", "firstlight", "completion", "bash"], capture_output=True, check=True)
    done = subprocess.run(["bash", "-n"], input=script.stdout, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
