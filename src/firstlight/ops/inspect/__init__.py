"""Measure an image: stars, background, noise."""
