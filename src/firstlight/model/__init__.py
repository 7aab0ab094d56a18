"""Frozen records: what firstlight knows of frames, images, stars and transforms. No I/O, threads or plotting."""
