"""The report of a run: what it shows, that it is whole, and how a browser draws it."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from firstlight import process
from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.io.thumbnails import frame_uri, picture_uri
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.pipeline.report import write_report
from firstlight.pipeline.report_facts import read_run
from firstlight.pipeline.report_sections import duration, plate_scale, up_from_north
from firstlight.pipeline.settings import Settings
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import preset

VOID = {"meta", "link", "img", "br", "circle", "line", "polyline", "rect", "path", "input"}


class Page(HTMLParser):
    """Tags in order, whether they are closed, and what would be fetched."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.fetched, self.tips, self.ids, self.links, self.images = [], [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        for name in ("src", "href", "data", "action"):
            url = values.get(name, "")
            if url.startswith("#"):
                self.links.append(url[1:])
            elif url and not url.startswith("data:"):
                self.fetched.append(url)
        self.ids += [values["id"]] if "id" in values else []
        self.tips += [values["data-tip"]] if "data-tip" in values else []
        if tag == "img":
            self.images.append(values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "night <b>&amp; day"
    simulate(folder, preset("tiny").model_copy(update={"bumps": 0.2, "target": "M <i>31 & friends"}))
    # A light that cannot be read, and one that is white all over.
    (folder / "Lights" / "light_broken.fits").write_bytes(b"SIMPLE  =                    T")
    with fits.open(folder / "Lights" / "light_L_60s_0001.fits", uint=True) as file:
        file[0].data[:] = 65535
        file.writeto(folder / "Lights" / "light_white.fits")
    process(folder, Settings(select={"fwhm": 3.0}))
    return folder


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "firstlight" / "report.html").read_text()


def test_the_page_is_whole_and_fetches_nothing(text):
    page = Page(text)
    assert page.wrong == []
    assert page.open == []
    assert page.fetched == []
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg|http-equiv", "", text)
    assert set(page.links) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert all("alt" in image for image in page.images)


def test_names_from_headers_are_text_not_markup(text):
    assert "M &lt;i&gt;31 &amp; friends" in text
    assert "<i>31" not in text


def test_every_frame_that_was_set_aside_has_its_reason(text, folder):
    facts = read_run(folder)
    aside = facts.set_aside
    assert {"light_broken.fits", "light_white.fits"} <= {row.name for row in aside}
    part = text[text.index('<section id="aside">') : text.index('<section id="masters">')]
    for row in aside:
        assert row.name in part
    assert "cannot be shown" in part
    assert part.count("data:image/jpeg") == len(aside) - 1


def test_every_light_is_a_point_with_its_numbers(text, folder):
    lights = [row for row in read_run(folder).lights if row.get("fwhm")]
    tips = Page(text).tips
    for row in lights:
        assert any(tip.startswith(row.name) and f"FWHM: {row.get('fwhm'):.2f} px" in tip for tip in tips)
        assert any(tip.startswith(row.name) and "Background:" in tip for tip in tips)


def test_the_noise_budget_agrees_with_what_is_measured(folder):
    stack = read_run(folder).stacks[0]
    budget = stack.story["noise_budget"]
    parts = budget["variance_electrons2"]
    assert all(parts[name] > 0 for name in ("sky", "dark", "read", "masters"))
    assert budget["frame_expected_adu"] == pytest.approx(np.sqrt(sum(parts.values())) / 0.75, rel=1e-3)
    # Simulated: theory is right but for banding and the response of pixels, which it leaves out.
    assert budget["frame_measured_adu"] == pytest.approx(budget["frame_expected_adu"], rel=0.12)
    assert budget["gain_measured"] == pytest.approx(budget["gain_expected"], rel=0.15)


def test_without_pictures_or_lights_there_is_a_page_all_the_same(folder, tmp_path):
    shutil.copytree(folder / "Darks", tmp_path / "night" / "Darks")
    process(tmp_path / "night", Settings())
    text = (tmp_path / "night" / "firstlight" / "report.html").read_text()
    assert "master_dark" in text
    assert "0 <small>of 0</small>" in text
    assert Page(text).wrong == []


def test_what_is_missing_is_named(folder, tmp_path):
    shutil.copytree(folder / "Lights", tmp_path / "night" / "Lights")
    process(tmp_path / "night", Settings(output={"pictures": False}, library="none"))
    text = (tmp_path / "night" / "firstlight" / "report.html").read_text()
    part = text[text.index('<section id="masters">') : text.index('<section id="timing">')]
    for words in ("Darkless: light_L_60s_0001.fits ... ", "Flatless: ", "Biasless ", "; take "):
        assert words in part


def test_it_can_be_left_out_and_written_later(folder, tmp_path, capsys):
    process(folder, Settings(output={"report": False, "pictures": False}), output=tmp_path / "run")
    assert not (tmp_path / "run" / "report.html").exists()
    assert run(["report", str(tmp_path / "run"), "-o", str(tmp_path / "page.html")]) == 0
    assert "stack bare" in (tmp_path / "page.html").read_text()
    assert run(["report", str(tmp_path / "run"), "-o", str(tmp_path / "page.pdf")]) == 2
    assert run(["report", str(tmp_path)]) == 2
    assert "no run has ended here" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"format": 99})])
def test_a_record_that_is_none_is_said(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run\.json"):
        write_report(tmp_path)


def test_thumbnails_show_dark_sky_and_stand_upright(tmp_path):
    data = np.random.default_rng(1).normal(1000, 10, (1, 300, 400)).astype(np.float32)
    data[0, :60] += 300
    for bottom_up in (False, True):
        path = write(tmp_path / "a.fits", Image(data, meta=Meta(bottom_up=bottom_up)))
        uri, width, height = frame_uri(path, 100)
        assert (width, height) == (100, 75)
        pixels = decoded(uri)
        bright = pixels[-10:] if bottom_up else pixels[:10]
        assert bright.mean() > 2 * np.median(pixels)
        assert 25 < np.median(pixels) < 110
    uri, width, height = picture_uri(write(tmp_path / "a.tif", Image(data)), 50)
    assert (width, height) == (50, 38)


def decoded(uri):
    import base64
    import io

    from PIL import Image as Pillow

    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_durations_and_scales_are_said_as_people_do():
    assert [duration(s) for s in (45, 150, 3420, 12000)] == ["45 s", "2 min 30 s", "57 min", "3 h 20 min"]
    assert plate_scale({"CD1_1": -0.0004, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.0004}) == pytest.approx(1.44)
    assert plate_scale({"CDELT1": -0.001, "CDELT2": 0.001}) == pytest.approx(3.6)
    assert plate_scale({}) is None


def test_up_is_told_from_north_to_east():
    # Rows upwards, north up, east left: the usual plate.
    usual = {"CDELT1": -0.001, "CDELT2": 0.001}
    assert up_from_north(usual, bottom_up=True) == pytest.approx(0)
    assert up_from_north(usual, bottom_up=False) == pytest.approx(180)
    angle = np.radians(57)
    turned = {"CD1_1": -np.cos(angle), "CD1_2": np.sin(angle), "CD2_1": np.sin(angle), "CD2_2": np.cos(angle)}
    assert up_from_north(turned, bottom_up=True) == pytest.approx(57)


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_draws_it_without_a_word_and_without_scrolling_sideways(text, tmp_path, width):
    # The page, and a line that writes down what the browser made of it.
    probe = (
        "<script>addEventListener('load',function(){var b=document.body;b.setAttribute('data-wide',"
        "document.documentElement.scrollWidth-innerWidth);b.setAttribute('data-broken',"
        "[].filter.call(document.images,function(i){return i.loading!='lazy'&&!i.naturalWidth}).length)})"
        "</script></body>"
    )
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", probe))
    drawn = browse(page, tmp_path, width, "--dump-dom")
    assert int(re.search(r'data-wide="(-?\d+)"', drawn.stdout).group(1)) <= 0
    assert re.search(r'data-broken="(\d+)"', drawn.stdout).group(1) == "0"
    assert "CONSOLE" not in drawn.stderr
    picture = tmp_path / "shot.png"
    browse(page, tmp_path, width, f"--screenshot={picture}")
    from PIL import Image as Pillow

    pixels = np.asarray(Pillow.open(picture).convert("RGB"), float)
    assert pixels.shape[1] == width
    # The head of the page is dark, the cards below are light: it is neither blank nor without its style.
    assert pixels[:60].mean() < 90
    assert pixels[400:].mean() > 120
    assert pixels[400:].std() > 20


def browse(page: Path, tmp_path: Path, width: int, *more: str):
    profile = tmp_path / f"profile{len(list(tmp_path.iterdir()))}"
    command = [BROWSER, *FLAGS, "--enable-logging=stderr", f"--user-data-dir={profile}", f"--window-size={width},1000"]
    return subprocess.run([*command, *more, page.as_uri()], capture_output=True, text=True, check=True, timeout=120)
