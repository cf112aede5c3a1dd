"""The sixteen gates as text, in the syntax that C, Verilog and JavaScript share."""

from __future__ import annotations

EXPRESSIONS: tuple[str, ...] = (
    "{zero}",
    "{a} & {b}",
    "{a} & ~{b}",
    "{a}",
    "~{a} & {b}",
    "{b}",
    "{a} ^ {b}",
    "{a} | {b}",
    "~({a} | {b})",
    "~({a} ^ {b})",
    "~{b}",
    "{a} | ~{b}",
    "~{a}",
    "~{a} | {b}",
    "~({a} & {b})",
    "{one}",
)
"""By gate id; `zero` and `one` stand for the target's constants."""
