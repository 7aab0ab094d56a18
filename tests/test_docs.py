"""The generated pages say what the sources say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_generated_pages_are_fresh():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run docs/generate.py (make docs):\n{done.stdout}{done.stderr}"


def test_every_operation_has_its_page_and_every_page_its_operation():
    from firstlight.ops.registry import operations

    pages = {path.stem for path in (ROOT / "docs" / "operations").glob("*.md")} - {"README"}
    assert pages == {name.replace(":", "-") for name in operations()}
