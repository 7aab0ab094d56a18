"""Colour: balance, neutral backgrounds, green casts, saturation."""
