"""``firstlight cite``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("cite")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--bibtex", is_flag=True, help="The works it cites, as BibTeX.")
@click.option("--json", "as_json", is_flag=True, help="Paragraph and works as JSON.")
def command(file: Path, bibtex: bool, as_json: bool) -> None:
    """A paragraph on the methods behind a file, for a publication, citing what was used and nothing else.

    \b
    firstlight cite night/firstlight/stacks/M31_L_60s.fits
    firstlight cite night/firstlight/stacks/M31_L_60s.fits --bibtex > methods.bib
    """
    import json
    import textwrap

    from firstlight.pipeline.cite import as_dict, bibliography, methods_of
    from firstlight.pipeline.lineage import lineage_of

    paragraph, references = methods_of(lineage_of(file))
    if as_json:
        click.echo(json.dumps(as_dict(paragraph, references), indent=1))
    elif bibtex:
        click.echo(bibliography(references))
    else:
        click.echo(textwrap.fill(paragraph, 100))
