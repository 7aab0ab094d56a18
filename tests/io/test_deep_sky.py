"""Objects by name."""

from __future__ import annotations

import pytest

from firstlight.errors import InputError
from firstlight.io.deep_sky import deep_sky, find_object, objects_near, search_objects
from firstlight.model.deep_sky import plain_name


@pytest.mark.parametrize(
    ("name", "main", "ra", "dec"),
    [
        ("M31", "NGC 224", 10.685, 41.269), ("messier 031", "NGC 224", 10.685, 41.269),
        ("ngc7000", "NGC 7000", 314.82, 44.53), ("NGC 0891", "NGC 891", 35.64, 42.35),
        ("North America Nebula", "NGC 7000", 314.82, 44.53), ("Horsehead", "B 33", 85.25, -2.46),
        ("IC 434", "IC 434", 85.25, -2.46), ("Caldwell 14", "C 14", 35.2, 57.1),
        ("Dumbbell Nebula", "NGC 6853", 299.9, 22.72),
    ],
)  # fmt: skip
def test_names_as_people_write_them(name, main, ra, dec):
    found = find_object(name)
    assert found.name == main
    assert found.ra == pytest.approx(ra, abs=0.3)
    assert found.dec == pytest.approx(dec, abs=0.3)


def test_every_messier_object_is_there():
    messier = {e.messier for e in deep_sky() if e.messier}
    assert {f"M {i}" for i in range(1, 111)} - messier <= {"M 102"}
    assert len(deep_sky()) > 13_000


def test_a_name_of_several_and_of_none():
    assert len(search_objects("veil")) >= 2
    with pytest.raises(InputError, match="several"):
        find_object("Veil")
    with pytest.raises(InputError, match="did you mean"):
        find_object("Andromede Galaxy")


def test_objects_around_a_place():
    names = [e.name for e in objects_near(10.685, 41.269, 1.0)]
    assert names[0] == "NGC 224"
    assert {"NGC 221", "NGC 205"} <= set(names)
    assert objects_near(10.685, 41.269, 0.001) != []


def test_the_files_of_openngc_say_the_same(real_data, monkeypatch):
    package = {e.name: e for e in deep_sky()}
    monkeypatch.setenv("FIRSTLIGHT_CATALOGS", str(real_data("catalogs")))
    files = {e.name: e for e in deep_sky()}
    common = package.keys() & files.keys()
    assert len(common) > 12_000
    apart = [n for n in common if abs(package[n].dec - files[n].dec) > 0.02]
    assert len(apart) < 0.01 * len(common)
    assert files["NGC 6853"].messier == "M 27"


def test_plain_names():
    assert plain_name("Messier 27") == plain_name("M027") == "m27"
