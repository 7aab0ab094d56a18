"""``firstlight stack``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.answer import tell
from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.errors import InputError
from firstlight.io.targets import FITS, check_target
from firstlight.pipeline.stack import StackSettings

if TYPE_CHECKING:
    from firstlight.pipeline.stack import FilesResult


@click.command("stack", cls=SettingsCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The FITS file to write.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the summary.")
@options_of(StackSettings)
def command(files: tuple[Path, ...], output: Path, overwrite: bool, quiet: bool, **options: Any) -> None:
    """Combine files that are calibrated (and registered) already: images or stacks.

    FILES are images or folders of them: frames of any program, resampled images, or stacks of ours, which bring
    their variance, flags, coverage, exposure and number of frames with them. They are taken to lie on one another;
    --registration-method stars brings them there. Bias, dark or flat frames make a master.

    \b
    firstlight stack night1.fits night2.fits -o both.fits
    firstlight stack registered/*.fits -o stack.fits --stack-method winsorized
    firstlight stack bias/*.fits -o master_bias.fits --stack-method median
    """
    from firstlight.pipeline.stack import stack_files

    for path in files:
        if not path.exists() and "#" not in path.name:
            raise InputError(f"{path}: there is no such file or folder")
    check_target(output, overwrite=overwrite, endings=FITS)
    result = stack_files(files, output, settings_from(options, StackSettings), progress=TerminalProgress(quiet))
    tell(_record(result), summary(result))


def _record(result: FilesResult) -> dict[str, Any]:
    """What was made, as JSON can hold it."""
    meta = result.image.meta
    return {
        "file": str(result.path), "files": result.n_files, "frames": meta.n_combined, "exposure_s": meta.exposure,
        "method": result.engine.combine.words, "set_aside": result.set_aside, "notes": list(result.notes),
        "timings": result.timings,
    }  # fmt: skip


def summary(result: FilesResult) -> str:
    """What was made, in words."""
    meta = result.image.meta
    exposure = f", {meta.exposure:g} s" if meta.exposure is not None else ""
    frames = f" ({meta.n_combined} frames)" if meta.n_combined != result.n_files else ""
    files = "1 file" if result.n_files == 1 else f"{result.n_files} files"
    chosen = " (chosen by auto)" if result.automatic else ""
    lines = [f"{result.path}: {files}{frames}{exposure}, {result.engine.combine.method}{chosen}"]
    if result.set_aside:
        lines.append(f"Set aside ({len(result.set_aside)}):")
        lines += [
            f"  {Path(path).name}: {reason.removeprefix(Path(path).name + ': ')}"
            for path, reason in sorted(result.set_aside.items())
        ]
    lines += [f"Note: {note}" for note in result.notes]
    wall = sum(spent["wall_s"] for spent in result.timings.values())
    return "\n".join([*lines, f"Done in {wall:.1f} s."])
