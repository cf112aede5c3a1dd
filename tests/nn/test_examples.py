"""The examples in the docstrings of what users build networks from are run."""

import doctest
import importlib

import pytest

MODULES = [
    "learning.freezing",
    "learning.proposals",
    "learning.resampling",
    "nn.conv",
    "nn.dense",
    "nn.group_sum",
    "nn.layers",
    "nn.thermometer",
    "nn.upsample",
    "nn.weighted_sum",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_say_what_happens(name):
    module = importlib.import_module(f"gatewright.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
