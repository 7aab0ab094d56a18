"""What is in a file, as one short word."""

from __future__ import annotations

import hashlib
import os


def content_hash(path: str | os.PathLike[str]) -> str:
    """BLAKE2b (128 bit, hexadecimal) of a file's bytes: equal bytes, equal word, wherever the file lies.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     content_hash(file.name)
    'cae66941d9efbd404e4d88758ea67670'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
