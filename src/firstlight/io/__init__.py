"""Files: the only place that touches a disk. Frames are opened by their header; pixels are read when asked for."""
