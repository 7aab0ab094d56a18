"""The command line: faces of what the library does; no operation is known here by name."""
