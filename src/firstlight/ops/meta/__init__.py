"""Facts of the header: what follows from time, place and position."""
