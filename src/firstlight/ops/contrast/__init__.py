"""Contrast, morphology, stars and structure."""
