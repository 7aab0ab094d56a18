"""The program ``firstlight``, and ``python -m firstlight``."""

import sys

__all__ = ["main"]


def main() -> None:
    """Start the program; Ctrl-C before it has begun ends it without a word, as later on."""
    try:
        from firstlight.cli.main import main as begin
    except KeyboardInterrupt:
        sys.exit(130)
    begin()


if __name__ == "__main__":
    main()
