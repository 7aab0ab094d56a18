"""From a folder of raw frames to finished products. This layer owns every thread."""
