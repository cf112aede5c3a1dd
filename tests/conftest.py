"""Settings that hold for all tests."""

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("gatewright", deadline=None, print_blob=True)
hypothesis.settings.load_profile("gatewright")


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(1)
