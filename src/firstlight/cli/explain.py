"""``firstlight explain``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Every frame and every setting.")
@click.option("--check", is_flag=True, help="Read the inputs again and say whether they are still what they were.")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
@click.option("--prov", is_flag=True, help="In the vocabulary of the W3C, as PROV-JSON.")
@click.option(
    "--graph", type=click.Path(path_type=Path), metavar="FILE",
    help="Draw it: .svg, or .dot for Graphviz.",
)  # fmt: skip
def command(file: Path, everything: bool, check: bool, as_json: bool, prov: bool, graph: Path | None) -> None:
    """How was this file made?

    From a stack, a master, a picture or an image that operations were applied to: its inputs and masters, followed
    down to the raw frames, every step with its parameters, what was set aside and why, settings and versions. Files of
    other programs tell what their headers hold.

    \b
    firstlight explain night/firstlight/stacks/M31_L_60s.fits
    firstlight explain picture.png --graph picture.svg
    """
    import json

    from firstlight.pipeline.lineage import lineage_of

    lineage = lineage_of(file)
    if graph is not None:
        _draw(lineage, graph)
        click.echo(f"{graph}: drawn")
    if prov:
        from firstlight.pipeline.prov import prov_document

        click.echo(json.dumps(prov_document(lineage), indent=1, default=str))
    elif as_json:
        content = lineage.as_dict()
        if check:
            content["check"] = {str(source.path): source.state() for _, source in lineage.sources()}
        click.echo(json.dumps(content, indent=1, default=str))
    elif graph is None:
        from firstlight.pipeline.lineage_text import explain_text

        click.echo(explain_text(lineage, everything=everything, check=check))


def _draw(lineage: object, path: Path) -> None:
    from firstlight.errors import InputError
    from firstlight.io.atomic import atomic_path
    from firstlight.pipeline.lineage_graph import dot_of, graph_of, svg_of

    forms = {".svg": svg_of, ".dot": dot_of, ".gv": dot_of}
    if path.suffix.lower() not in forms:
        raise InputError(f"{path}: the suffix is '{path.suffix}'; .svg and .dot are drawn; choose one of them")
    text = forms[path.suffix.lower()](graph_of(lineage))  # type: ignore[arg-type]
    with atomic_path(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
