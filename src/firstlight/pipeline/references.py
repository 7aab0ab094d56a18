"""What is cited for the methods of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A published work."""

    key: str
    authors: str
    """As BibTeX wants them: ``Family, Given and Family, Given``."""
    year: int
    title: str
    where: str
    """Journal, or book series."""
    volume: str = ""
    pages: str = ""
    doi: str = ""
    kind: str = "article"

    @property
    def short(self) -> str:
        """``Fruchter & Hook 2002``."""
        families = [name.partition(",")[0].strip("{}") for name in self.authors.split(" and ")]
        if families[-1] == "others" or len(families) > 2:
            return f"{families[0]} et al. {self.year}"
        return f"{' & '.join(families)} {self.year}"

    @property
    def bibtex(self) -> str:
        place = {"article": "journal", "inproceedings": "booktitle", "book": "publisher", "misc": "howpublished"}
        rows = {
            "author": self.authors, "title": f"{{{self.title}}}", place[self.kind]: self.where,
            "year": str(self.year), "volume": self.volume, "pages": self.pages, "doi": self.doi,
        }  # fmt: skip
        body = ",\n".join(f"  {name:9s} = {{{value}}}" for name, value in rows.items() if value)
        return f"@{self.kind}{{{self.key},\n{body}\n}}"


_ALL = (
    Reference("astropy2022", "{Astropy Collaboration} and Price-Whelan, A. M. and others", 2022,
              "The Astropy Project: Sustaining and Growing a Community-oriented Open-source Project", "ApJ", "935",
              "167", "10.3847/1538-4357/ac7c74"),
    Reference("harris2020", "Harris, C. R. and Millman, K. J. and others", 2020, "Array programming with NumPy",
              "Nature", "585", "357", "10.1038/s41586-020-2649-2"),
    Reference("virtanen2020", "Virtanen, P. and Gommers, R. and others", 2020,
              "SciPy 1.0: fundamental algorithms for scientific computing in Python", "Nature Methods", "17", "261",
              "10.1038/s41592-019-0686-2"),
    Reference("lam2015", "Lam, S. K. and Pitrou, A. and Seibert, S.", 2015, "Numba: a LLVM-based Python JIT compiler",
              "Proc. Second Workshop on the LLVM Compiler Infrastructure in HPC", "", "1-6",
              "10.1145/2833157.2833162", "inproceedings"),
    Reference("fruchter2002", "Fruchter, A. S. and Hook, R. N.", 2002,
              "Drizzle: A Method for the Linear Reconstruction of Undersampled Images", "PASP", "114", "144",
              "10.1086/338393"),
    Reference("casertano2000", "Casertano, S. and de Mello, D. and others", 2000,
              "WFPC2 Observations of the Hubble Deep Field South", "AJ", "120", "2747", "10.1086/316851"),
    Reference("vandokkum2001", "van Dokkum, P. G.", 2001, "Cosmic-Ray Rejection by Laplacian Edge Detection", "PASP",
              "113", "1420", "10.1086/323894"),
    Reference("mccully2018", "McCully, C. and Volgenau, N. H. and others", 2018,
              "Real-time processing of the imaging data from the network of Las Cumbres Observatory Telescopes using "
              "BANZAI", "Proc. SPIE", "10707", "107070K", "10.1117/12.2314340"),
    Reference("groth1986", "Groth, E. J.", 1986, "A pattern-matching algorithm for two-dimensional coordinate lists",
              "AJ", "91", "1244", "10.1086/114099"),
    Reference("valdes1995", "Valdes, F. G. and Campusano, L. E. and others", 1995,
              "FOCAS Automatic Catalog Matching Algorithms", "PASP", "107", "1119", "10.1086/133667"),
    Reference("kuglin1975", "Kuglin, C. D. and Hines, D. C.", 1975, "The phase correlation image alignment method",
              "Proc. IEEE Int. Conf. on Cybernetics and Society", "", "163", "", "inproceedings"),
    Reference("rublee2011", "Rublee, E. and Rabaud, V. and others", 2011,
              "ORB: An efficient alternative to SIFT or SURF", "Proc. ICCV", "", "2564", "10.1109/ICCV.2011.6126544",
              "inproceedings"),
    Reference("westerweel2005", "Westerweel, J. and Scarano, F.", 2005, "Universal outlier detection for PIV data",
              "Experiments in Fluids", "39", "1096", "10.1007/s00348-005-0016-6"),
    Reference("eilers1996", "Eilers, P. H. C. and Marx, B. D.", 1996, "Flexible smoothing with B-splines and penalties",
              "Statistical Science", "11", "89", "10.1214/ss/1038425655"),
    Reference("lebesnerais2005", "Le Besnerais, G. and Champagnat, F.", 2005,
              "Dense optical flow by iterative local window registration", "Proc. ICIP", "1", "I-137",
              "10.1109/ICIP.2005.1529706", "inproceedings"),
    Reference("zach2007", "Zach, C. and Pock, T. and Bischof, H.", 2007,
              "A Duality Based Approach for Realtime TV-L1 Optical Flow", "Pattern Recognition (DAGM)", "", "214",
              "10.1007/978-3-540-74936-3_22", "inproceedings"),
    Reference("rosner1983", "Rosner, B.", 1983, "Percentage Points for a Generalized ESD Many-Outlier Procedure",
              "Technometrics", "25", "165", "10.1080/00401706.1983.10487848"),
    Reference("szalay1999", "Szalay, A. S. and Connolly, A. J. and Szokoly, G. P.", 1999,
              "Simultaneous Multicolor Detection of Faint Galaxies in the Hubble Deep Field", "AJ", "117", "68",
              "10.1086/300689"),
    Reference("hamilton1997", "Hamilton, J. F. and Adams, J. E.", 1997,
              "Adaptive color plan interpolation in single sensor color electronic camera", "US patent 5,629,734",
              kind="misc"),
    Reference("young1994", "Young, A. T.", 1994, "Air mass and refraction", "Appl. Opt.", "33", "1108",
              "10.1364/AO.33.001108"),
    Reference("eastman2010", "Eastman, J. and Siverd, R. and Gaudi, B. S.", 2010,
              "Achieving Better Than 1 Minute Accuracy in the Heliocentric and Barycentric Julian Dates", "PASP",
              "122", "935", "10.1086/655938"),
    Reference("duchon1979", "Duchon, C. E.", 1979, "Lanczos Filtering in One and Two Dimensions",
              "J. Appl. Meteorol.", "18", "1016", "10.1175/1520-0450(1979)018<1016:LFIOAT>2.0.CO;2"),
    Reference("keys1981", "Keys, R. G.", 1981, "Cubic convolution interpolation for digital image processing",
              "IEEE Trans. ASSP", "29", "1153", "10.1109/TASSP.1981.1163711"),
    Reference("janesick2007", "Janesick, J. R.", 2007, "Photon Transfer", "SPIE Press", kind="book",
              doi="10.1117/3.725073"),
    Reference("goesele2001", "Goesele, M. and Heidrich, W. and Seidel, H.-P.", 2001,
              "Entropy-Based Dark Frame Subtraction", "Proc. PICS", "", "293", "", "inproceedings"),
    Reference("lupton2004", "Lupton, R. and Blanton, M. R. and others", 2004,
              "Preparing Red-Green-Blue Images from CCD Data", "PASP", "116", "133", "10.1086/382245"),
    Reference("payne2021", "Payne, M. and Cranfield, M.", 2021, "Generalised hyperbolic stretch equations",
              "ghsastro.co.uk", kind="misc"),
    Reference("bertin1996", "Bertin, E. and Arnouts, S.", 1996, "SExtractor: Software for source extraction",
              "A&AS", "117", "393", "10.1051/aas:1996164"),
    Reference("brown2007", "Brown, M. and Lowe, D. G.", 2007,
              "Automatic Panoramic Image Stitching using Invariant Features", "Int. J. Comput. Vis.", "74", "59",
              "10.1007/s11263-006-0002-3"),
    Reference("newey1987", "Newey, W. K. and Powell, J. L.", 1987, "Asymmetric Least Squares Estimation and Testing",
              "Econometrica", "55", "819", "10.2307/1911031"),
    Reference("greisen2002", "Greisen, E. W. and Calabretta, M. R.", 2002,
              "Representations of world coordinates in FITS", "A&A", "395", "1061", "10.1051/0004-6361:20021326"),
    Reference("richardson1972", "Richardson, W. H.", 1972, "Bayesian-Based Iterative Method of Image Restoration",
              "J. Opt. Soc. Am.", "62", "55", "10.1364/JOSA.62.000055"),
    Reference("lucy1974", "Lucy, L. B.", 1974,
              "An iterative technique for the rectification of observed distributions", "AJ", "79", "745",
              "10.1086/111605"),
    Reference("starck2002", "Starck, J.-L. and Pantin, E. and Murtagh, F.", 2002,
              "Deconvolution in Astronomy: A Review", "PASP", "114", "1051", "10.1086/342606"),
    Reference("stetson1987", "Stetson, P. B.", 1987, "DAOPHOT: A Computer Program for Crowded-Field Stellar Photometry",
              "PASP", "99", "191", "10.1086/131977"),
)  # fmt: skip
REFERENCES = {reference.key: reference for reference in _ALL}

OF_OPERATIONS = {
    "cal:cosmicrays": ("vandokkum2001", "mccully2018"),
    "abr:localgradient": ("keys1981",),
    "stretch:asinh": ("lupton2004",),
    "stretch:ghs": ("payne2021",),
    "sharp:richardsonlucy": ("richardson1972", "lucy1974"),
}
"""Operation to what is cited for it."""
