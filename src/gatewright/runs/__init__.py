"""Runs: training in a folder, from a run to a proven circuit, and figures over many runs.

`train` and `load_run` are imported when first used, as they need torch, which figures of circuits do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["load_run", "train"]

if TYPE_CHECKING:
    from gatewright.runs.run import load_run, train
else:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from gatewright.runs import run  # noqa: PLC0415 - see above

        return getattr(run, name)
