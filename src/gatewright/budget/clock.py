"""The time of a search: what interrupted sessions have used of it is not given again."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path

from gatewright.errors import OptionError
from gatewright.runtime.files import write_text_atomically

EXPLORING = 0.6
"""Share of the time that goes to trials; the rest trains the winner."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> float:
    """A time such as `90s`, `10m`, `2h` or `1h30m`, in seconds.

    Raises:
        OptionError: It is none.

    >>> seconds_of("1h30m")
    5400.0
    """
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd])+", text):
        raise OptionError(f"a time looks like 90s, 10m, 2h or 1h30m, got {text[:40]!r}")
    return float(sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)([smhd])", text)))


class Clock:
    """Wall-clock time of a search over all its sessions; processes that share the folder share the clock.

    Args:
        path: Its file.
        seconds: Of the whole search; infinity for no limit.
    """

    def __init__(self, path: Path, seconds: float = math.inf) -> None:
        self._path = path
        self.seconds = seconds
        self._before = self._read()
        self._begin = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds so far."""
        return self._before + time.monotonic() - self._begin

    @property
    def left(self) -> float:
        """Seconds left of the search."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def exploring(self) -> float:
        """Seconds left for trials."""
        return max(0.0, EXPLORING * self.seconds - self.elapsed)

    def save(self) -> None:
        """Note the time; a later session begins there."""
        if self.elapsed > self._read():
            write_text_atomically(self._path, json.dumps({"seconds": round(self.elapsed, 2)}) + "\n")

    def _read(self) -> float:
        try:
            return float(json.loads(self._path.read_text(encoding="utf-8"))["seconds"])
        except FileNotFoundError:
            return 0.0
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(f"{self._path} is damaged; remove it, and the search's time begins anew") from error
