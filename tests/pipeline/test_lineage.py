"""How files were made, told from the files of one small run: words, graph, PROV, citation, and made again."""

import json
import re
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest

from firstlight import process
from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.io.content import known_hash
from firstlight.io.write import read_provenance, write
from firstlight.model.image import Image
from firstlight.pipeline.cite import methods_of
from firstlight.pipeline.lineage import lineage_of
from firstlight.pipeline.lineage_graph import dot_of, graph_of, svg_of
from firstlight.pipeline.lineage_text import explain_text
from firstlight.pipeline.prov import prov_document
from firstlight.pipeline.references import OF_OPERATIONS, REFERENCES
from firstlight.pipeline.reproduce import reproduce
from firstlight.pipeline.settings import Settings
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import preset


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    simulate(folder / "night", preset("tiny").model_copy(update={"bumps": 0.2}))
    (folder / "night" / "Lights" / "light_broken.fits").write_bytes(b"SIMPLE  =                    T")
    process(folder / "night", Settings(select={"fwhm": 4.0}))
    return folder


@pytest.fixture(scope="module")
def run_folder(night):
    return night / "night" / "firstlight"


@pytest.fixture(scope="module")
def stack(run_folder):
    return next((run_folder / "stacks").iterdir())


@pytest.fixture(scope="module")
def applied(night, stack):
    first, second = night / "a.png", night / "b.jpg"
    assert run(["apply", str(stack), str(first), "abr:localgradient", "stretch:midtones", "--overwrite"]) == 0
    assert run(["apply", str(first), str(second), "stretch:gamma:gamma=1.2", "--overwrite"]) == 0
    return first, second


def test_a_stack_names_every_input_by_its_content(stack, night):
    story = read_provenance(stack)
    assert len(story["inputs"]) >= 5
    for row in story["inputs"]:
        assert known_hash(row["file"]) == row["xxh128"]
        assert [name[:11] for name in row["masters"]] == ["master_dark", "master_flat"]
    assert story["versions"].keys() >= {"firstlight", "python", "numpy", "numba"}
    assert story["session"] == str((night / "night").resolve())


def test_masters_are_followed_to_their_frames(stack):
    lineage = lineage_of(stack)
    names = {source.name for _, source in lineage.sources()}
    for kind in ("light_L_60s_0001", "dark_60s_0001", "flat_L_0001", "bias_0001", "master_bias"):
        assert any(name.startswith(kind) for name in names), kind
    assert {source.state() for _, source in lineage.sources()} <= {"same", ""}
    raw = [s for _, s in lineage.sources() if s.of is None]
    assert {source.state() for source in raw} == {"same"}


def test_words_say_masters_steps_and_why_frames_were_left_out(stack):
    text = explain_text(lineage_of(stack), everything=True, check=True)
    assert "a stack of" in text.splitlines()[0]
    for words in ("combined: noise:low=3", "master_flat", "subtracted", "weight ", "select.fwhm = 4.0  (chosen)"):
        assert words in text
    aside = text[text.index("Set aside") :]
    assert "light_broken.fits: " in aside
    assert text.count("unchanged") >= 20


def test_settings_that_are_defaults_are_counted_not_listed(stack):
    text = explain_text(lineage_of(stack))
    settings = text[text.index("\nSettings") : text.index("\nMade with")].splitlines()[2:]
    assert len([line for line in settings if line]) == 2
    assert re.search(r"the other \d\d+ have their defaults", text)


def test_pictures_and_applied_images_lead_to_the_stack(run_folder, stack, applied):
    picture = lineage_of(run_folder / "pictures" / f"{stack.stem}.png")
    assert picture.kind == "picture"
    assert any(step.startswith("stretch:midtones@") for step in picture.steps)
    assert picture.inputs[0].path == stack.resolve()
    assert picture.inputs[0].of.kind == "stack"
    lineage = lineage_of(applied[1])
    assert [step.partition("@")[0] for step in lineage.steps] == ["stretch:gamma"]
    assert lineage.inputs[0].of.inputs[0].of.kind == "stack"


def test_an_image_whose_source_is_gone_still_tells_its_story(stack, tmp_path):
    source, out = tmp_path / "s.fits", tmp_path / "out.fits"
    shutil.copy(stack, source)
    assert run(["apply", str(source), str(out), "bin:mean"]) == 0
    source.unlink()
    lineage = lineage_of(out)
    assert lineage.inputs[0].state() == "missing"
    assert lineage.inputs[0].of.kind == "stack"
    with pytest.raises(InputError, match="is not there any more"):
        reproduce(out)


def test_the_graph_holds_every_group_of_files_once(applied):
    graph = graph_of(lineage_of(applied[1]))
    titles = [box.title for box in graph.boxes]
    assert len(titles) == len(set(titles))
    assert {"6 darks", "6 flats", "6 bias frames", "b.jpg", "a.png"} <= set(titles)
    columns = {id(box): box.column for box in graph.boxes}
    assert all(columns[id(start)] < columns[id(end)] for start, end, _ in graph.edges)
    svg = ElementTree.fromstring(svg_of(graph))
    ns = "{http://www.w3.org/2000/svg}"
    assert len(svg.findall(f"{ns}rect")) == len(graph.boxes)
    for rect in svg.findall(f"{ns}rect"):
        assert float(rect.get("x")) + float(rect.get("width")) <= float(svg.get("width"))
    dot = dot_of(graph)
    assert dot.count("->") == len(graph.edges)
    assert dot.startswith("digraph")


def test_boxes_do_not_lie_on_one_another(applied):
    graph = graph_of(lineage_of(applied[1]))
    svg_of(graph)
    for i, a in enumerate(graph.boxes):
        for b in graph.boxes[:i]:
            apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
            assert apart, (a.title, b.title)


def test_prov_holds_together(applied):
    document = json.loads(json.dumps(prov_document(lineage_of(applied[1]))))
    entities, activities, agents = (document[kind].keys() for kind in ("entity", "activity", "agent"))
    for kind, fields in {
        "used": {"prov:activity": activities, "prov:entity": entities},
        "wasGeneratedBy": {"prov:activity": activities, "prov:entity": entities},
        "wasDerivedFrom": {"prov:generatedEntity": entities, "prov:usedEntity": entities, "prov:activity": activities},
        "wasAssociatedWith": {"prov:activity": activities, "prov:agent": agents},
    }.items():
        assert document[kind]
        for relation in document[kind].values():
            for name, known in fields.items():
                assert relation[name] in known
    prefixes = document["prefix"].keys() | {"prov", "xsd"}
    names = [*entities, *activities, *agents, *(key for e in document["entity"].values() for key in e)]
    assert {name.partition(":")[0] for name in names} <= prefixes
    generated = [relation["prov:entity"] for relation in document["wasGeneratedBy"].values()]
    assert len(generated) == len(set(generated)), "a file is made once"
    assert len(generated) == 6, "two images, a stack, three masters"


def test_the_paragraph_cites_what_was_done_and_nothing_else(stack, night):
    paragraph, works = methods_of(lineage_of(stack))
    keys = {work.key for work in works}
    assert {"groth1986", "duchon1979", "lam2015"} <= keys
    assert not keys & {"fruchter2002", "vandokkum2001", "rosner1983", "kuglin1975"}
    assert "Lanczos-3 kernel (Duchon 1979)" in paragraph
    assert ".." not in paragraph
    for work in works:
        assert work.short in paragraph
        assert work.bibtex.count("{") == work.bibtex.count("}")


def test_other_methods_get_other_citations(night, tmp_path):
    lineage = lineage_of(next((night / "night" / "firstlight" / "stacks").iterdir()))
    lineage.settings["calibrate"]["cosmic_rays"] = True
    lineage.settings["registration"] |= {"method": "phase", "kernel": "bicubic"}
    lineage.facts["method"] = "esd:significance=0.05"
    keys = {work.key for work in methods_of(lineage)[1]}
    assert {"vandokkum2001", "mccully2018", "kuglin1975", "keys1981", "rosner1983"} <= keys
    assert not keys & {"groth1986", "duchon1979"}


def test_works_of_operations_are_known_and_operations_too():
    from firstlight.ops.registry import operations

    assert {key for keys in OF_OPERATIONS.values() for key in keys} <= REFERENCES.keys()
    assert OF_OPERATIONS.keys() <= set(operations()) | {"sharp:richardsonlucy"}


def test_everything_made_again_has_the_same_bytes(run_folder, stack, applied):
    for path in (stack, run_folder / "pictures" / f"{stack.stem}.tif", *applied):
        outcome = reproduce(path)
        assert outcome.same, outcome.words()
        assert outcome.causes == []
    flat = next((run_folder / "masters").glob("master_flat*"))
    assert reproduce(flat).same


def test_a_changed_input_is_named_and_how_far_the_pixels_go(night, tmp_path):
    shutil.copytree(night / "night", tmp_path / "night")
    record = tmp_path / "night" / "firstlight" / "run.json"
    shutil.rmtree(record.parent)
    process(tmp_path / "night", Settings())
    stack = next((record.parent / "stacks").iterdir())
    lights = tmp_path / "night" / "Lights"
    shutil.copy(lights / "light_L_60s_0002.fits", lights / "light_L_60s_0003.fits")
    outcome = reproduce(stack)
    assert not outcome.same
    assert not outcome.pixels_same
    assert any("light_L_60s_0003.fits: has other content" in cause for cause in outcome.causes)
    assert any(re.search(r"pixels of SCI: .* % of them differ", difference) for difference in outcome.differences)


def test_a_new_frame_in_the_folder_changes_nothing(night, tmp_path):
    shutil.copytree(night / "night", tmp_path / "night")
    shutil.rmtree(tmp_path / "night" / "firstlight")
    process(tmp_path / "night", Settings())
    lights = tmp_path / "night" / "Lights"
    shutil.copy(lights / "light_L_60s_0002.fits", lights / "light_L_60s_0099.fits")
    assert reproduce(next((tmp_path / "night" / "firstlight" / "stacks").iterdir())).same


def test_another_version_is_said(stack, monkeypatch):
    monkeypatch.setattr("firstlight.pipeline.reproduce.versions", lambda: {"firstlight": "9.9"})
    outcome = reproduce(stack)
    assert "firstlight 0.1.0 then, 9.9 now" in outcome.causes


def test_a_raw_frame_and_a_file_of_others_say_what_they_know(night, tmp_path):
    raw = night / "night" / "Lights" / "light_L_60s_0001.fits"
    assert "nothing is recorded" in explain_text(lineage_of(raw))
    with pytest.raises(InputError, match="does not say how it was made"):
        methods_of(lineage_of(raw))
    alone = write(tmp_path / "a.fits", Image(np.ones((1, 9, 9)), history=("cal:pedestal@1:value=3",)))
    assert "cal:pedestal@1:value=3" in explain_text(lineage_of(alone))
    with pytest.raises(InputError, match="this is a folder"):
        lineage_of(tmp_path)
