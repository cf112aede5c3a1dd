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
    # OpenMP threads that wait by spinning take the cores from the kernels' own threads: a training step on a busy 2-core
    # machine took 169 ms with spinning and 8 ms without. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from gatewright.cli import main as run  # noqa: PLC0415 - its imports may be interrupted, too

        run()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if os.environ.get("GATEWRIGHT_LAUNCHER") == str(os.getppid()) and not isinstance(end.code, str):
            # One of several processes that train together (`training.processes`). Threads of torch.distributed may outlive
            # the group for a moment; if they drop a tensor while the interpreter ends, the process is aborted.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code or 0)
        raise


if __name__ == "__main__":
    main()
