"""Guiding: the mount is kept on a star by pulses, measured on the frames of a guide camera."""
