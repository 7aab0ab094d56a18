"""What firstlight made goes; nothing else, ever."""

from __future__ import annotations

import json
import os

import pytest

from firstlight.errors import InputError
from firstlight.pipeline.clear import carry_out_clearing, plan_clearing
from firstlight.pipeline.collection import read_record
from firstlight.pipeline.organize import carry_out, plan_sorting


@pytest.fixture
def collection(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for number in range(3):
        # Files that no reader knows are set aside; these are the smallest frames there are.
        header = "".join(f"{line:80}" for line in (
            "SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2",
            "NAXIS1  =                    2", "NAXIS2  =                    2", f"OBJECT  = 'M {number}'", "END",
        ))  # fmt: skip
        (source / f"{number}.fits").write_bytes(header.ljust(2880).encode() + bytes([number] * 4).ljust(2880, b"\0"))

    def make(link):
        out = tmp_path / f"collection-{link}"
        carry_out(plan_sorting([source], out, link=link))
        return source, out

    return make


@pytest.mark.parametrize("link", ["hard", "symbolic", "copy"])
def test_a_collection_goes_and_the_sources_stay(collection, link):
    source, out = collection(link)
    (out / "mine.txt").write_text("mine")
    carry_out_clearing(plan_clearing(out))
    assert sorted(os.listdir(out)) == ["mine.txt"]
    assert len(list(source.iterdir())) == 3


def test_the_only_copy_and_what_was_changed_stay(collection):
    _, out = collection("copy")
    first, second, third = read_record(out)
    os.unlink(first.source)
    (out / second.path).write_bytes(b"edited")
    clearing = plan_clearing(out)
    reasons = {str(path.relative_to(out)): why for path, why in clearing.stays}
    assert "only copy" in reasons[first.path]
    assert reasons[second.path] == "was changed"
    carry_out_clearing(clearing)
    assert (out / first.path).exists()
    assert (out / second.path).exists()
    assert not (out / third.path).exists()
    assert (out / "collection.json").exists()


def test_a_hard_link_whose_original_is_gone_stays(collection):
    _, out = collection("hard")
    (entry, *_) = read_record(out)
    os.unlink(entry.source)
    carry_out_clearing(plan_clearing(out))
    assert (out / entry.path).exists()


def test_an_edited_table_stays(collection):
    _, out = collection("hard")
    (out / "metadata.csv").write_text("NAME,FILTER\n*,Ha\n")
    clearing = plan_clearing(out)
    assert [why for _, why in clearing.stays] == ["was changed by hand"]


@pytest.fixture
def run(tmp_path):
    output = tmp_path / "session" / "firstlight"
    for name in ("masters/dark.fits", "stacks/M31.fits", "pictures/M31.png", "index.sqlite", "frames.csv", "notes.txt"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text("x")
    products = ["masters/dark.fits", "stacks/M31.fits", "pictures/M31.png", "../../precious.fits"]
    (tmp_path / "precious.fits").write_text("x")
    (output / "run.json").write_text(json.dumps({"products": products}))
    return output


def test_of_a_run_what_the_next_makes_anew_or_all(run):
    carry_out_clearing(plan_clearing(run.parent))
    left = {p.name for p in run.rglob("*") if p.is_file()}
    assert left == {"M31.fits", "M31.png", "frames.csv", "notes.txt", "run.json"}
    clearing = plan_clearing(run, everything=True)
    carry_out_clearing(clearing)
    assert {p.name for p in run.rglob("*")} == {"notes.txt"}
    assert (run.parent.parent / "precious.fits").exists()


def test_a_picture_changed_since_the_run_stays(run):
    later = (run / "run.json").stat().st_mtime + 100
    os.utime(run / "pictures/M31.png", (later, later))
    clearing = plan_clearing(run, everything=True)
    assert [path.name for path, _ in clearing.stays] == ["M31.png"]
    assert run / "pictures/M31.png" not in clearing.remove


def test_folders_of_others_are_left_alone(tmp_path):
    with pytest.raises(InputError, match="nothing here is known"):
        plan_clearing(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        plan_clearing(tmp_path / "none")
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InputError, match="cannot be read"):
        plan_clearing(tmp_path)
