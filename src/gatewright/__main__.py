"""The `gatewright` program, also `python -m gatewright`.

It imports the command line inside of `main`, so that Ctrl-C ends it without a traceback as soon as Python itself has begun.
"""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main() -> None:
    """Run the command line."""
    # Threads of OpenMP, which torch starts, wait for work by spinning, and would take the cores from the kernels' threads.
    # Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from gatewright.cli import main as run  # noqa: PLC0415 - its imports may be interrupted, too

        run()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
