"""Tables come back as they were written, read by astropy."""

import numpy as np
import pytest
from astropy.table import Table

from firstlight.errors import InputError
from firstlight.io.star_tables import Column, write_columns

COLUMNS = [
    Column("star", np.arange(1, 4), about="number"),
    Column("mag", np.array([10.12345, np.nan, 12.5]), "mag", 'of the star, "quoted"', 3),
    Column("x", np.array([1 / 3, 2e-9, 5.0]), "px"),
    Column("variable", np.array([True, False, True])),
    Column("name", ["a", "b, c", ""], about="who"),
]


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits"])
def test_there_and_back(tmp_path, suffix):
    path = write_columns(tmp_path / f"t{suffix}", COLUMNS, {"zero point": 21.5, "stars": [1, 2], "bad": float("nan")})
    table = Table.read(path)
    assert table.colnames == [c.name for c in COLUMNS]
    assert table["star"].tolist() == [1, 2, 3]
    mags = np.ma.filled(np.ma.asarray(table["mag"]).astype(float), np.nan)
    np.testing.assert_allclose(mags, [10.12345, np.nan, 12.5], atol=0 if suffix == ".fits" else 6e-4)
    np.testing.assert_array_equal(np.asarray(table["x"]), COLUMNS[2].values)
    assert np.asarray(table["variable"]).astype(bool).tolist() == [True, False, True]
    if suffix != ".csv":
        assert str(table["mag"].unit) == "mag"
    if suffix == ".ecsv":
        assert table["mag"].description == 'of the star, "quoted"'
        assert table.meta == {"zero point": 21.5, "stars": [1, 2], "bad": None}
        assert table["name"][1] == "b, c"


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.csv, \.ecsv, \.fits"):
        write_columns(tmp_path / "t.xls", COLUMNS)
