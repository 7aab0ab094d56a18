"""``firstlight combine``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.apply import FOR_THE_EYE, refuse_linear
from firstlight.errors import InputError, SpecError
from firstlight.io.targets import FITS, PICTURES, check_target


def _steps(*parts: str) -> Any:
    def decorate(command: Any) -> Any:
        for part in reversed(parts):
            flag, text = part.split("|")
            command = click.option(flag, metavar="STEPS", multiple=True, help=text)(command)
        return command

    return decorate


@click.command("combine")
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("sources", metavar="IN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--mode", metavar="MODE", help="How: one of --list.  [default: rgb]", default="rgb")
@click.option("--list", "show", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _list(c, v),
              help="List the modes and the images that each takes.")  # fmt: skip
@click.option("--args", "arguments", metavar="K=V,...", multiple=True,
              help="Parameters of the mode; may be given several times.")  # fmt: skip
@click.option("--reference", metavar="FILE", type=click.Path(path_type=Path),
              help="All images are brought onto this one.  [default: the first]")  # fmt: skip
@click.option("--align", type=click.Choice(["auto", "stars", "phase", "features", "plate", "none"]),
              default="auto", show_default=True,
              help="How images are brought onto each other. auto: by stars, by plates where there are too few; phase "
                   "and features: for nebulae, the Moon and planets without stars.")  # fmt: skip
@click.option("--framing", type=click.Choice(["reference", "common"]), default="reference", show_default=True,
              help="The frame of the reference, or the part that all images cover.")  # fmt: skip
@click.option("--in-order", is_flag=True, help="Take the images as given, whatever filters their headers name.")
@_steps(
    "--color-steps|Steps for the colours before they are mixed.",
    "--luminance-steps|Steps for the luminance.",
    "--ha-steps|Steps for hydrogen.",
    "--ha-luminance-steps|Steps for hydrogen in its part as brightness (hargb, havrgb).",
    "--steps|Steps for the result.",
)
@click.option("--series", is_flag=True,
              help="Write nine pictures beside OUT too: gamma 1, 1.2, 1.4 times saturation 1, 1.5, 2.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def command(
    target: Path,
    sources: tuple[Path, ...],
    mode: str,
    arguments: tuple[str, ...],
    reference: Path | None,
    align: str,
    framing: str,
    in_order: bool,
    series: bool,
    overwrite: bool,
    **steps: tuple[str, ...],
) -> None:
    """Combine images of different filters into one.

    The images are brought onto the first (its stars, or plates), through pier flips and other scales. Where every file
    names its filter they may come in any order. Linear in, linear out, with flags and variance, unless the mode
    stretches.

    \b
    firstlight combine --mode lrgb out.fits L.fits R.fits G.fits B.fits
    firstlight combine --mode hoo --steps "stretch:midtones" out.png Ha.fits OIII.fits
    firstlight combine --mode slum --args weight=0.5 lum.fits L.fits rgb.fits
    """
    from firstlight.pipeline.channel_modes import find_mode

    find_mode(mode)
    values = parse_arguments(arguments)
    chains = {name.removesuffix("_steps").replace("_", "-"): _split(texts) for name, texts in steps.items()}
    chains["after"] = chains.pop("steps")
    read = (*sources, *([reference] if reference else []))
    for path in read:
        if not path.exists():
            raise InputError(f"{path}: there is no such file")
    check_target(target, read, overwrite=overwrite, endings=(*FITS, *PICTURES))
    from firstlight.io.write import write
    from firstlight.pipeline.combine_channels import ChannelSettings, combine_channels, stays_linear
    from firstlight.pipeline.hands import hands

    if target.suffix.lower() in FOR_THE_EYE and stays_linear(mode, sources, chains):
        refuse_linear(target, "of --steps")
    settings = ChannelSettings(align=align, framing=framing, in_order=in_order)  # type: ignore[arg-type]
    with hands():
        result = combine_channels(mode, sources, values, settings, reference=reference, chains=chains)
    write(target, result.image, provenance=result.provenance())
    for note in result.notes:
        click.echo(note)
    click.echo(f"{target}: {mode} of {', '.join(f'{Path(n).name} ({r})' for n, r in zip(result.inputs, result.roles))}")
    if series:
        from firstlight.pipeline.picture import write_series

        for path in write_series(result.image, target):
            click.echo(str(path))


def parse_arguments(texts: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE pairs separated by commas; a part without = that is a number continues the list before it.

    >>> parse_arguments(("weights=1,2,0.5,fit=true",))
    {'weights': '1,2,0.5', 'fit': 'true'}
    """
    found: dict[str, str] = {}
    for text in texts:
        key = ""
        for part in filter(None, text.split(",")):
            name, separator, value = part.partition("=")
            if separator:
                key = name.strip()
                found[key] = value.strip()
            elif key:
                found[key] += f",{part.strip()}"
            else:
                raise SpecError(f"--args {text!r}: write KEY=VALUE,KEY=VALUE")
    return found


def _split(texts: tuple[str, ...]) -> list[str]:
    return [each for text in texts for each in text.split()]


def _list(context: click.Context, show: bool) -> None:
    if not show:
        return
    from firstlight.cli.tables import show_table
    from firstlight.pipeline.channel_modes import MODES

    rows = [
        (name, " | ".join(" ".join(roles).replace("image*", "IN IN ...") for roles in mode.roles), mode.summary)
        for name, mode in MODES.items()
    ]
    show_table(("mode", "takes", "gives"), rows)
    context.exit()
