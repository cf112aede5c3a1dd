"""The examples in docstrings of what writes, reads, maps and compares circuits run as they are."""

import doctest
import importlib

import pytest

from gatewright.runtime.abc import find_abc
from support.tools import missing

FORMATS = ["formats", "formats.aiger", "formats.blif", "formats.c", "formats.verilog.module", "runtime.registry"]


@pytest.mark.parametrize("name", [*FORMATS, "hardware.luts", "verification"])
def test_examples_run(name):
    if name not in FORMATS and find_abc() is None:
        missing("ABC (package pyosys)")
    result = doctest.testmod(importlib.import_module(f"gatewright.{name}"), verbose=False)
    assert result.attempted > 1
    assert result.failed == 0
