"""``firstlight ops``."""

from __future__ import annotations

import click

from firstlight.cli.tables import show_table
from firstlight.errors import SpecError, nearest


@click.command("ops")
@click.argument("family", required=False)
def command(family: str | None) -> None:
    """List the operations.

    FAMILY is the part before the colon (stretch, cal, abr ...). `firstlight OPERATION --help` explains one.
    """
    from firstlight.ops.registry import FAMILIES, operations

    family = family.removesuffix(":") if family else None
    if family and family not in FAMILIES:
        raise SpecError(
            f"ops: {family!r} is no family of operations; one of {', '.join(FAMILIES)} is allowed"
            f"{nearest(family, FAMILIES)}"
        )
    rows = [(o.id, o.summary.replace("``", "")) for o in operations().values() if family in (None, o.family)]
    if not rows:
        click.echo(f"no operations in the family {family} yet")
        return
    show_table(("operation", "what it does"), rows)
