"""Catalogues and photometry: fluxes, magnitudes, light curves."""
