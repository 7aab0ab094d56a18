"""The command group: what it lists, how it fails, what it loads."""

import importlib
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from firstlight import __version__
from firstlight.cli.main import COMMANDS, cli, run
from firstlight.errors import ContractError, FrameError, InputError


def test_help_and_version():
    for flag in ("--help", "-h"):
        result = CliRunner().invoke(cli, [flag])
        assert result.exit_code == 0
        assert all(f"\n  {name} " in result.output for name in COMMANDS)
    assert CliRunner().invoke(cli, ["--version"]).output == f"firstlight {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_of_itself_what_the_list_says(name):
    module, line = COMMANDS[name]
    command = importlib.import_module(module).command
    assert command.name == name
    assert command.get_short_help_str(limit=200).rstrip(".") == line.rstrip(".")
    assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name):
    for parameter in importlib.import_module(COMMANDS[name][0]).command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{name}: {parameter.name} has no help"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["proces"], "there is no command 'proces'; did you mean process?"),
        (["--wrong"], "no such option"),
        (["apply", "a.fits"], "missing argument 'out'"),
        (["stretch:midtone", "a", "b"], "did you mean stretch:midtones?"),
        (["ops", "strech"], "did you mean stretch?"),
    ],
)
def test_wrong_use_is_one_paragraph_and_exit_code_2(arguments, words, capsys):
    assert run(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.lower().startswith("error: ")
    assert words in shown.lower()
    assert "Traceback" not in shown


PERMISSIONS = "; look at the permissions, or choose another place for the output (-o, --output)"
ROOM = "; make room, or choose another place for the output (-o, --output)"
FOLDER = "; a folder is needed here, and a file is in its place"


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (InputError("a.fits: broken; copy it again"), 2, "error: a.fits: broken; copy it again\n"),
        (FrameError("b.fits: cut short"), 2, "error: b.fits: cut short\n"),
        (PermissionError(13, "Permission denied", "out.fits"), 2, f"error: out.fits: permission denied{PERMISSIONS}\n"),
        (OSError(28, "No space left on device"), 2, f"error: no space left on device{ROOM}\n"),
        (FileExistsError(17, "File exists", "out"), 2, f"error: out: file exists{FOLDER}\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (ContractError("planes differ"), 1, "This is a bug in firstlight"),
        (ZeroDivisionError("x"), 1, "Traceback"),
        (SystemExit(1), 1, ""),
    ],
)
def test_how_errors_reach_the_user(raised, code, words, capsys, monkeypatch):
    @click.command("fails")
    def fails():
        raise raised

    monkeypatch.setattr(type(cli), "get_command", lambda self, context, name: fails)
    if isinstance(raised, SystemExit):
        with pytest.raises(SystemExit, match="1"):
            run(["fails"])
        return
    assert run(["fails"]) == code
    shown = capsys.readouterr().err
    assert words in shown
    if code == 2:
        assert shown == words


def test_as_a_program():
    done = subprocess.run([sys.executable, "-m", "firstlight", "info"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: missing argument 'FILE...'")
    done = subprocess.run([sys.executable, "-m", "firstlight", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"firstlight {__version__}\n"


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="there is no such signal here")
def test_a_process_that_dies_says_where_it_was():
    """As of a file that is cut while it is mapped."""
    program = (
        "import os, signal; from firstlight.cli import main as program; "
        "program.run = lambda arguments: os.kill(os.getpid(), signal.SIGBUS); program.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGBUS
    assert "Bus error" in done.stderr
