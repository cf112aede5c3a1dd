"""The examples in docstrings of circuits and of lowering run as they are."""

import doctest
import importlib
import pkgutil

import pytest

import gatewright.circuit

MODULES = [
    "gatewright.lowering",
    *(module.name for module in pkgutil.walk_packages(gatewright.circuit.__path__, "gatewright.circuit.")),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


def test_what_is_promised_has_an_example():
    from gatewright import Circuit, Encoder, Head, cost, load_circuit, lower, prove, save_circuit, simplify

    without_one = [
        f.__name__
        for f in (Circuit, Encoder, Head, cost, lower, prove, simplify, save_circuit)
        if ">>>" not in f.__doc__
    ]
    assert not without_one
    assert load_circuit.__name__ in save_circuit.__doc__  # one example shows both
