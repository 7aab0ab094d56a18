"""Calibration: bias, dark, flat, bad pixels, noise, colours of a mosaic, gradients."""
