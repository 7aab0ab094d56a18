"""The rules of ARCHITECTURE.md, read off the sources. A failure says what to do.

Files and packages are discovered: a new one is held to the rules without being named here, except that a new package
must be given its place in ``LAYERS``.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Container, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "firstlight"
TESTS = ROOT / "tests"

# From the ground up; packages on one line do not know each other. Imports point down only.
LAYERS = (
    ("errors", "units"),
    ("kernels",),
    ("model",),
    ("io",),
    ("ops",),
    ("simulate", "library"),
    ("pipeline",),
    ("observe",),
    ("cli",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# Heavy or outward-looking libraries, and the only packages that may import them.
HOMES = {
    "numba": {"kernels"},
    "llvmlite": {"kernels"},
    "astropy.io": {"io"},
    "rawpy": {"io"},
    "tifffile": {"io"},
    "PIL": {"io"},
    "sqlite3": {"io"},
    "urllib.request": {"io"},
    "http": {"io"},
    "socket": {"io", "observe"},
    "subprocess": {"io"},
    "click": {"cli"},
    "rich": {"cli"},
    "dask": {"pipeline"},
    "prefect": {"pipeline"},
    "matplotlib": {"pipeline", "observe"},
    "indipyclient": {"observe"},
    "yaml": {"io"},
    "requests": {"io"},
}
THREADS = {"threading", "concurrent", "multiprocessing", "_thread", "asyncio"}
# simulate makes its frames in a pool of its own; io ends readers that never return; observe listens to equipment.
THREADS_ALLOWED = {"pipeline", "simulate", "io", "observe"}
HANDED_DOWN = {
    "concurrent.futures.Executor",
    "concurrent.futures.Future",
    "threading.RLock",
    "threading.active_count",
    "threading.local",
}
"""Types of what the pipeline hands down, what its threads wait at, and their number; they start nothing."""

READS_NUMBAS_CACHE = PACKAGE / "kernels" / "kept.py"
"""Numba pickles what it compiles; its files are read so that nothing they name is imported or called."""
PURE = {"kernels", "model", "ops"}
CLOCKS = {
    ("time", name)
    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time")
} | {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("Time", "now")}
SEEDED = {"default_rng", "Generator", "SeedSequence", "PCG64", "Philox", "BitGenerator", "SFC64"}

LONGEST = 400

SOURCES = sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def layer_of(path: Path) -> str:
    """The package or top module a source belongs to; empty for ``firstlight/__init__.py``."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first in ("__init__.py", "__main__.py") else first.removesuffix(".py")


def nodes(*kinds: type[ast.AST], packages: Container[str] | None = None) -> Iterator[tuple[Path, ast.AST, str]]:
    """Every node of these kinds in the sources (of these packages): its file, itself, and ``file:line``."""
    for path in SOURCES:
        if packages is None or layer_of(path) in packages:
            for node in ast.walk(tree_of(path)):
                if isinstance(node, kinds):
                    yield path, node, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@cache
def all_imports() -> list[tuple[Path, str, str, bool]]:
    """Every import, also inside functions: file, absolute dotted name, ``file:line``, only under TYPE_CHECKING."""
    found = []
    for path, node, where in nodes(ast.Import, ast.ImportFrom):
        for_types = node.lineno in lines_for_types(path)
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            package = ("firstlight", *path.relative_to(PACKAGE).parent.parts)
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            names = [f"{module}.{alias.name}" for alias in node.names]
        found += [(path, name, where, for_types) for name in names]
    return found


@cache
def lines_for_types(path: Path) -> frozenset[int]:
    """Lines under ``if TYPE_CHECKING:``; those imports never run."""
    lines: set[int] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            lines.update(range(node.lineno, (node.body[-1].end_lineno or node.lineno) + 1))
    return frozenset(lines)


def is_in(name: str, library: str) -> bool:
    return name == library or name.startswith(library + ".")


def hold(offences: list[str], what_to_do: str) -> None:
    assert not offences, "\n  ".join([what_to_do, *offences])


def test_every_package_has_a_layer():
    found = {layer_of(path) for path in SOURCES} - {""}
    unplaced = found - RANK.keys()
    assert not unplaced, (
        f"no layer for {sorted(unplaced)}: put the new package where it belongs in LAYERS here and in ARCHITECTURE.md"
    )


def test_the_layers_are_drawn_in_the_architecture():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = " <- ".join(", ".join(names) for names in LAYERS)
    assert drawn in text, f"ARCHITECTURE.md must hold the line that this test keeps: {drawn}"


def test_rules_name_living_tests():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    here = Path(__file__).read_text(encoding="utf-8")
    offences = [name for name in re.findall(r"`(test_\w+)`", text) if f"def {name}(" not in here]
    offences += [name for name in re.findall(r"`(tests/\S+\.py)`", text) if not (ROOT / name).is_file()]
    hold(offences, "ARCHITECTURE.md names tests that are not there:")


def test_imports_point_down():
    offences = []
    for path, name, where, for_types in all_imports():
        here, target = layer_of(path), name.removeprefix("firstlight.").split(".")[0]
        if for_types or not here or not is_in(name, "firstlight") or target not in RANK or target == here:
            continue
        if RANK[target] >= RANK[here]:
            offences.append(f"{where}: {here} may not import {name}")
    hold(offences, "move the shared part down to the lower of the two packages, or call it from the upper one:")


def test_heavy_libraries_stay_at_home():
    offences = [
        f"{where}: {library} may be imported only in {', '.join(sorted(homes)) or 'no package'}"
        for path, name, where, _ in all_imports()
        for library, homes in HOMES.items()
        if is_in(name, library) and layer_of(path) not in homes
    ]
    hold(offences, "put the call behind a function in the library's home and import that:")


def test_numba_is_imported_in_one_place():
    """Programs run compiled kernels without it; others of its words are taken from there."""
    offences = [
        f"{where}: {name}"
        for path, name, where, _ in all_imports()
        if is_in(name, "numba") and path != PACKAGE / "kernels" / "jit.py"
    ]
    hold(offences, "take `intrinsic`, `types` and `cgutils` from firstlight.kernels.jit:")


def test_threads_belong_to_the_pipeline():
    offences = [
        f"{where}: {name}"
        for path, name, where, for_types in all_imports()
        if name.split(".")[0] in THREADS and layer_of(path) not in THREADS_ALLOWED
        if not for_types and name not in HANDED_DOWN
    ]
    hold(offences, "kernels and operations are serial; take the pipeline's executor as an argument:")


def test_no_clock_in_results():
    offences = [
        f"{where}: {ast.unparse(node)}"
        for _, node, where in nodes(ast.Attribute, packages=PURE)
        if tuple(ast.unparse(node).split(".")[-2:]) in CLOCKS
    ]
    offences += [
        f"{where}: {name}"
        for path, name, where, _ in all_imports()
        if layer_of(path) in PURE and tuple(name.split(".")) in CLOCKS
    ]
    hold(offences, "a result may not depend on the clock; take the time as an argument:")


def test_random_numbers_come_from_a_seed():
    offences = []
    for _, node, where in nodes(ast.Attribute):
        chain = ast.unparse(node).split(".")
        if chain[:2] in (["np", "random"], ["numpy", "random"]) and len(chain) == 3 and chain[2] not in SEEDED:
            offences.append(f"{where}: {'.'.join(chain)}")
    for _, node, where in nodes(ast.Call):
        if ast.unparse(node.func).endswith("default_rng") and not (node.args or node.keywords):
            offences.append(f"{where}: default_rng() without a seed")
    for path, name, where, _ in all_imports():
        if is_in(name, "random") or (is_in(name, "secrets") and layer_of(path) in PURE):
            offences.append(f"{where}: {name}")
    hold(offences, "use np.random.default_rng(seed) with a seed among the parameters:")


def test_no_assert_in_the_sources():
    offences = [where for _, _, where in nodes(ast.Assert)]
    hold(
        offences,
        "raise InputError or FrameError (the user's data) or ContractError (our bug) instead:",
    )


def test_no_bare_except():
    offences = [where for _, node, where in nodes(ast.ExceptHandler) if node.type is None]
    hold(offences, "name the errors that are expected here:")


def test_text_has_its_encoding():
    """The language of the user's system must not decide what a file holds, nor whether a name can be written."""
    offences = []
    for _, node, where in nodes(ast.Call):
        said = {keyword.arg: keyword.value for keyword in node.keywords}
        if isinstance(node.func, ast.Attribute):
            is_text = node.func.attr in ("read_text", "write_text")
        else:
            mode = node.args[1] if len(node.args) > 1 else said.get("mode", ast.Constant("r"))
            is_text = getattr(node.func, "id", "") == "open" and "b" not in str(getattr(mode, "value", "b"))
        if is_text and "encoding" not in said:
            offences.append(where)
    hold(offences, 'say encoding="utf-8":')


def test_no_code_from_data():
    offences = [
        f"{where}: {node.func.id}()"
        for _, node, where in nodes(ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")
    ]
    offences += [
        f"{where}: {name}"
        for path, name, where, _ in all_imports()
        if name.split(".")[0] in ("pickle", "shelve", "marshal") and path != READS_NUMBAS_CACHE
    ]
    hold(offences, "code is never made from data: parse it, or keep it as JSON or FITS:")


def test_files_are_short_and_named_by_their_subject():
    offences = []
    for path in sorted(p for top in ("src", "tests", "benchmarks", "docs") for p in (ROOT / top).rglob("*.py")):
        if "work" in path.relative_to(ROOT).parts:
            continue
        n = len(path.read_text(encoding="utf-8").splitlines())
        if n > LONGEST:
            offences.append(f"{path.relative_to(ROOT)}: {n} lines, {LONGEST} are allowed")
        if path.stem in ("utils", "util", "helpers", "misc", "common"):
            offences.append(f"{path.relative_to(ROOT)}: a drawer, not a subject")
    hold(offences, "divide the file by subject, and name each part by what it holds:")


def test_every_test_file_mirrors_a_source():
    offences = []
    for path in TESTS.rglob("test_*.py"):
        relative = path.relative_to(TESTS)
        source = PACKAGE / relative.parent / path.stem.removeprefix("test_")
        if len(relative.parts) > 1 and not source.with_suffix(".py").is_file() and not source.is_dir():
            offences.append(f"tests/{relative}: there is no {source.relative_to(ROOT)}.py")
    hold(
        offences,
        "name it <folder>/test_<module>.py; tests of the whole program lie in tests/ itself:",
    )


def test_folders_of_sources_are_packages():
    folders = {path.parent for path in SOURCES}
    offences = [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").is_file()]
    hold(sorted(offences), "add an __init__.py, or the folder is not installed:")


def text_files() -> list[Path]:
    """Everything under version control or about to be, that is text."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    binary = {".fits", ".png", ".jpg", ".tif", ".tiff", ".npy", ".npz", ".gz", ".fz", ".bz2", ".xisf", ".ser", ".dng"}
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix.lower() not in binary]


# Each pattern is written so that it does not match itself.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(wor[k]|roo[t]|hom[e]/\w+|User[s]/\w+)/",
    "the address of a package registry": r"pyp[i]\.org|python[h]osted|anaconda[.]org|registry[.]npm[j]s",
    "a token or a key": r"\b(ghp[_]\w{20}|AWS[_]SECRET|BEGIN [A-Z ]*PRIVATE[ ]KEY)",
    "where the text came from": r"(?i)\b(as an A[I]\b|chatgp[t]|co-authored-b[y]|sub-?agen[t]|in this issu[e])",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_tree_holds_no(what):
    pattern = re.compile(FORBIDDEN[what])
    offences = []
    for path in text_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if found := pattern.search(line):
                offences.append(f"{path.relative_to(ROOT)}:{number}: {found.group()}")
    hold(offences, f"the tree holds {what}; remove it:")


def test_help_is_light():
    """The command line starts without arrays, compilers and FITS. Names are compared, not times."""
    if not (PACKAGE / "cli" / "main.py").is_file():
        pytest.skip("there is no command line yet")
    program = (
        "import sys\n"
        "from firstlight.cli.main import be_program, run\n"
        "be_program()\n"
        "code = run(['--help'])\n"
        "heavy = {'numpy', 'numba', 'astropy', 'scipy', 'PIL', 'rawpy', 'photutils'} & sys.modules.keys()\n"
        "print('loaded:', ' '.join(sorted(heavy)), 'code:', code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:  code: 0", (
        f"`firstlight --help` loads {done.stdout.splitlines()[-1]}: import it inside the functions that use it"
    )
    assert "process" in done.stdout
