"""Noise reduction."""
