"""``firstlight completion``."""

from __future__ import annotations

import click

WHERE = {
    "bash": 'eval "$(firstlight completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(firstlight completion zsh)"     # in ~/.zshrc',
    "fish": "firstlight completion fish > ~/.config/fish/completions/firstlight.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(WHERE)))
def command(shell: str) -> None:
    """Print the script that completes commands and options in your shell.

    \b
    eval "$(firstlight completion bash)"    in ~/.bashrc
    eval "$(firstlight completion zsh)"     in ~/.zshrc
    firstlight completion fish > ~/.config/fish/completions/firstlight.fish
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    from firstlight.cli.main import cli

    # Bash itself is not started to look for its version, as click would.
    maker = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    complete = maker(cli, {}, "firstlight", "_FIRSTLIGHT_COMPLETE")
    click.echo(complete.source_template % complete.source_vars())
