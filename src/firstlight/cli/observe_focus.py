"""``firstlight observe focus``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.observe_options import ended_properly, exposure_options, profile_of, profile_options, session_of
from firstlight.cli.tables import show_table
from firstlight.errors import InputError


@click.command("focus")
@click.option("--filter", "filter_name", default="", help="Turn the wheel to this filter first.")
@click.option("--step", type=click.IntRange(1), help="First step; each further one is a quarter longer.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=3.0, help="Exposure.  [default: 3]")
@click.option(
    "--frames", type=click.IntRange(1), default=1, help="At each position; their median counts.  [default: 1]"
)
@click.option("--least", type=int, help="Least position; default: the focuser's.")
@click.option("--greatest", type=int, help="Greatest position; default: the focuser's.")
@click.option("--offsets", "trained", metavar="FILTERS", default="",
              help="Measure the offsets of these filters, with commas between; the first has offset 0.")  # fmt: skip
@click.option("--runs", type=click.IntRange(1), default=3, help="Of each filter, with --offsets.  [default: 3]")
@click.option("--save", is_flag=True, help="With --offsets: write them into the profile.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("focus.png"),
              help="Plot of the curve.  [default: focus.png]")  # fmt: skip
@exposure_options
@profile_options
def focus(filter_name: str, step: int | None, trained: str, runs: int, save: bool, output: Path, profile_name: str,
          server: str, **options: Any) -> dict[str, Any]:  # fmt: skip
    """Find the focus by the V-curve of FWHM and contrast, and draw it.

    \b
    firstlight observe focus --filter L
    firstlight observe focus --offsets L,R,G,B,Ha --runs 3 --save

    Outwards, then inwards with growing steps until the stars are wide; both curves are fitted; a last frame checks the
    result. Positions are always approached from the same side (focuser.approach and focuser.backlash of the profile).
    When it fails, the focuser goes back to where it was.
    """
    from firstlight.observe.connect import equipment_of
    from firstlight.observe.focus import FocusPlan, autofocus, first_step, train_offsets
    from firstlight.observe.focus_plot import draw_focus
    from firstlight.observe.profile import profile_path, write_offsets
    from firstlight.observe.sequence import choose_filter

    profile = profile_of(profile_name, server)
    session = session_of(profile, Path())
    names = tuple(name.strip() for name in trained.split(",") if name.strip())
    need = ("camera", "focuser", *(("wheel",) if filter_name or names else ()))
    with ended_properly(), equipment_of(profile, need, ("wheel",)) as found:
        plan = FocusPlan(step=step or first_step(found.focuser, profile), **options)  # type: ignore[arg-type]
        if names:
            unknown = [name for name in names if name not in found.wheel.names]  # type: ignore[union-attr]
            if unknown:
                there = ", ".join(found.wheel.names)  # type: ignore[union-attr]
                raise InputError(f"--offsets {unknown[0]}: there is no such filter; the wheel has {there}")
            shifts = train_offsets(found, session, plan, names, runs, click.echo)
        else:
            choose_filter(found, session, filter_name, click.echo)
            result = autofocus(found, session, plan, click.echo)
    if names:
        rows = [(each.filter, f"{each.median:+d}", f"{each.std:.0f}", " ".join(map(str, each.runs))) for each in shifts]
        show_table(("filter", "offset", "std", "runs"), rows)
        if save:
            path = profile_path(profile_name or profile.name)
            write_offsets(path, {each.filter: each.median for each in shifts})
            click.echo(f"written: {path}")
        return {"offsets": {each.filter: each.median for each in shifts}, "std": {e.filter: e.std for e in shifts}}
    draw_focus(result, output)
    for note in result.notes:
        click.echo(f"note: {note}")
    click.echo(f"focus at {result.position} ({result.start} before), FWHM {result.fwhm:.2f} px\n{output}")
    return {
        "position": result.position, "before": result.start, "fwhm_px": result.fwhm, "by": result.fit.by,
        "samples": [vars(each) for each in result.samples], "notes": result.notes, "plot": str(output),
    }  # fmt: skip
