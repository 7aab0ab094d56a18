"""Tables of spectra."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.spectra_files import read_spectra
from firstlight.model.passband import GRID


@pytest.mark.parametrize("prefix", ["", "f", "flux_", "XP"])
def test_columns_by_wavelength(tmp_path, prefix):
    nm = np.arange(350, 1001, 50)
    rows = ["ra,dec,Gmag," + ",".join(f"{prefix}{each}" for each in nm)]
    rows += [f"{10 + i},{20 - i},{9 + i}," + ",".join(str(each * (i + 1)) for each in nm) for i in range(3)]
    path = tmp_path / "spectra.csv"
    path.write_text("\n".join(rows))
    catalog, spectra = read_spectra(path)
    assert catalog.ra.tolist() == [10, 11, 12]
    np.testing.assert_allclose(spectra[1][(GRID >= 350) & (GRID <= 1000)], 2 * np.arange(350, 1001))


def test_what_is_no_table_of_spectra(tmp_path):
    path = tmp_path / "stars.csv"
    path.write_text("ra,dec,f400,f500\n1,2,3,4\n")
    with pytest.raises(InputError, match="2 columns of wavelengths; at least 5"):
        read_spectra(path)
    with pytest.raises(InputError, match="there is no such file"):
        read_spectra(tmp_path / "lost.csv")
