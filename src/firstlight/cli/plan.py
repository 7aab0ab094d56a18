"""``firstlight plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.answer import tell
from firstlight.cli.errors import WRONG_INPUT
from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, settings_from, settings_options

if TYPE_CHECKING:
    from firstlight.pipeline.plan import Plan


@click.command("plan", cls=SettingsCommand)
@click.argument("session", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where the products would go; default SESSION/firstlight."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@settings_options
def command(session: Path, output: Path | None, quiet: bool, **options: Any) -> None:
    """Say what `process` would do with SESSION, and write nothing.

    Lists what each frame was taken for and why, the masters, which of them each light gets and why, what is missing
    and how much room the products need.
    """
    from firstlight.pipeline.describe import describe_plan
    from firstlight.pipeline.plan import plan

    decided = plan(session, settings_from(options), output=output, progress=TerminalProgress(quiet))
    tell(_record(decided), describe_plan(decided))
    if not decided.sightings:
        click.get_current_context().exit(WRONG_INPUT)


def _record(plan: Plan) -> dict[str, Any]:
    """A plan as JSON can hold it."""
    return {
        "session": str(plan.session),
        "output": str(plan.output),
        "frames": [{"file": str(s.frame.path), "kind": s.kind.value, "how": s.how} for s in plan.sightings],
        "broken": {str(path): reason for path, reason in plan.broken},
        "masters": [{"name": m.name, "kind": m.kind.value, "frames": m.n_frames} for m in plan.calibrations.masters],
        "lights": [
            {
                "file": str(a.light.path),
                "masters": {name: m.name for name in ("bias", "dark", "flat") if (m := getattr(a, name)) is not None},
                "reasons": list(a.reasons),
                "warnings": list(a.warnings),
            }
            for group in plan.groups
            for a in group.assignments
        ],
        "groups": [{"name": g.name, "lights": len(g.assignments)} for g in plan.groups],
        "notes": list(plan.notes),
        "disk_bytes": plan.disk_bytes,
    }
