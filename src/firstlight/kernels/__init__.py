"""Loops on bare arrays, compiled by Numba: serial, ``nogil``, no knowledge of images or files."""
