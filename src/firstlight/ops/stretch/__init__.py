"""Stretches: from linear data to a picture."""
