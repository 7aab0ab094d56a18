"""Geometry: registration, plates, resampling."""
