"""Calibration frames: what they are, which belongs to which light, and the masters made from them."""
