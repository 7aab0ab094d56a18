"""Hash of content, and what a header tells of pictures."""

from __future__ import annotations

import hashlib
import os

import xxhash

from firstlight.io.content import content_hash, known_hash
from firstlight.io.exif import cards_of_exif, cards_of_text


def test_hash_of_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert content_hash(tmp_path / "a") == content_hash(tmp_path / "b") == expected
    (tmp_path / "b").write_bytes(content[:-1] + b"x")
    assert content_hash(tmp_path / "b") != expected


def test_quick_hash_of_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    path = tmp_path / "a"
    path.write_bytes(content)
    assert known_hash(path) == xxhash.xxh128(content).hexdigest()
    path.write_bytes(content[:-1] + b"x")
    os.utime(path, ns=(1, 1))
    assert known_hash(path) == xxhash.xxh128(content[:-1] + b"x").hexdigest()


def test_camera_name_and_clock():
    cards = dict(
        card[:2] for card in cards_of_exif({271: "NIKON CORPORATION", 272: "NIKON D5300", 36867: "2020:01:02 03:04:05"})
    )
    assert cards == {"INSTRUME": "NIKON D5300", "DATE-LOC": "2020-01-02T03:04:05"}
    sony = dict(card[:2] for card in cards_of_exif({271: "SONY", 272: "ILCE-7M3", 33434: (1, 4), 34855: 1600}))
    assert sony == {"INSTRUME": "SONY ILCE-7M3", "EXPTIME": 0.25, "ISOSPEED": 1600.0}


def test_text_that_is_no_header():
    assert cards_of_text("a picture of M 31\nby me") == ()
    assert cards_of_text("EXPTIME =                 30.0 / [s]") == (("EXPTIME", 30.0, "[s]"),)
