"""`eager`: what `torch.compile` is to leave as it is.

A compiler of tensor operations cannot look into kernels, packed tensors and recorders, and has nothing to gain there. A
compiled network calls them as they are, between the parts that it does compile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch

F = TypeVar("F", bound=Callable[..., Any])


def eager(function: F) -> F:
    """Call a function as it is from compiled code; for use as a decorator.

    `torch.compiler.disable` does this, too, but imports the compiler when it decorates, which takes seconds.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_dynamo_compiling():
            return torch.compiler.disable(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return cast("F", call)
