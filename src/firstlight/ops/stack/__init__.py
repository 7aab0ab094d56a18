"""Normalise, reject and combine sets of registered planes."""
