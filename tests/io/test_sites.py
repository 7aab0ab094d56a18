"""The table of sites: against the parallax constants of the Minor Planet Center, and the user's own."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from firstlight.errors import InputError
from firstlight.io.sites import read_sites, user_table

# Code, east longitude, rho cos phi', rho sin phi' as the Minor Planet Center lists them.
MPC = {
    "Greenwich": (0.0, 0.62411, 0.77873),
    "Palomar": (243.14022, 0.836325, 0.546877),
    "LCO Siding Spring": (149.0642, 0.85563, -0.51621),
    "Siding Spring": (149.0642, 0.85563, -0.51621),
    "La Palma": (342.11094, 0.877701, 0.478380),
    "Xinglong": (117.5750, 0.76278, 0.64470),
}


@pytest.mark.parametrize("name", MPC)
def test_against_the_parallax_constants(name):
    site = read_sites().find(name)
    longitude, cosine, sine = MPC[name]
    axis, flattening = 6378137.0, 1 / 298.257223563
    phi = math.radians(site.latitude)
    normal = 1 / math.sqrt(math.cos(phi) ** 2 + (1 - flattening) ** 2 * math.sin(phi) ** 2)
    height = site.elevation / axis
    found_cosine = (normal + height) * math.cos(phi)
    found_sine = ((1 - flattening) ** 2 * normal + height) * math.sin(phi)
    # Sites are some km wide, and the constants have five digits.
    assert (site.longitude - longitude + 180) % 360 - 180 == pytest.approx(0, abs=0.03)
    assert found_cosine == pytest.approx(cosine, abs=3e-4)
    assert found_sine == pytest.approx(sine, abs=3e-4)


def test_every_entry_is_found_by_all_its_names():
    sites = read_sites()
    seen = set()
    for entry in sites.entries:
        for name in (entry.site.name, *entry.aliases, entry.site.code):
            if name:
                assert sites.find(name) == entry.site
                assert name.lower() not in seen
                seen.add(name.lower())


def test_telescopes_that_moved_have_no_place_without_a_time():
    sites = read_sites()
    places = [sites.of_telescope("T21", when) for when in (
        datetime(2020, 1, 1, tzinfo=UTC), datetime(2022, 10, 1, tzinfo=UTC), datetime(2025, 1, 13, tzinfo=UTC), None,
    )]  # fmt: skip
    assert [p.name if p else None for p in places] == ["Mayhill", None, "Utah Desert", None]
    assert sites.of_telescope("iTelescope T05", datetime(2020, 1, 1, tzinfo=UTC)).name == "Mayhill"
    assert sites.of_telescope("T311", None) is None


def test_coordinates_and_mistakes():
    sites = read_sites()
    assert sites.find("-31.27,149.06").longitude == 149.06
    for wrong, why in (("95,10", "latitude"), ("48,500", "longitude"), ("Sidling Spring", "did you mean Siding")):
        with pytest.raises(InputError, match=why):
            sites.find(wrong)


def test_the_users_table_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = user_table()
    path.parent.mkdir(parents=True)
    place = 'latitude = "48 08 00"\nlongitude = "11 34 00 E"'
    path.write_text(f'[[site]]\nname = "Garden"\n{place}\ntelescopes = ["T31"]\n')
    sites = read_sites()
    assert sites.find("garden").latitude == pytest.approx(48.1333, abs=1e-4)
    assert sites.of_telescope("T31", None).name == "Garden"
    (tmp_path / "sites.toml").write_text('[[site]]\nname = "Balcony"\nlatitude = 1\nlongitude = 2\n')
    assert read_sites(tmp_path).find("Balcony").longitude == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[[site]]\nname="a"\nlatitude=95\nlongitude=1', r"latitude 95; -90 to 90"),
        ('[[site]]\nname="a"\nlatitude=5', r"longitude None"),
        ('[[site]]\nlatitude=5\nlongitude=1', "has no name"),
        ('[[site]]\nname="a"\nlattitude=5\nlongitude=1', "did you mean latitude"),
        ('[[site]]\nname="a"\nlatitude=5\nlongitude=1\ntelescopes=[{name="x", from="soon"}]', "YYYY-MM-DD"),
        ("sites = 3", "nothing else"),
        ("[[site", "cannot be read"),
    ],
)  # fmt: skip
def test_mistakes_in_a_table_are_named(tmp_path, text, why):
    (tmp_path / "sites.toml").write_text(text)
    with pytest.raises(InputError, match=why):
        read_sites(tmp_path)
