"""The `gatewright` program, also `python -m gatewright`.

It imports the command line inside of `main`, so that Ctrl-C ends it without a traceback as soon as Python itself has begun.
"""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main() -> None:
    """Run the command line."""
    try:
        from gatewright.cli import main as run  # noqa: PLC0415 - its imports may be interrupted, too

        run()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
