"""`Study`: one question of `ablation.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gatewright.circuit import Circuit


class Study(NamedTuple):
    """One question.

    Attributes:
        question: What it asks.
        preset: Where all arms start from.
        changes: What all arms change in it.
        arms: What each arm changes besides, by name.
        circuits: Instead of arms: what is measured on each seed's circuit.
        curves: Whether validation over steps and seconds is kept, for a comparison over time.
    """

    question: str
    preset: str
    changes: list[str]
    arms: dict[str, list[str]]
    circuits: Callable[[Circuit, str], dict[str, Any]] | None = None
    curves: bool = False
