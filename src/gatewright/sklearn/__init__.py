"""`GatewrightClassifier`: a scikit-learn classifier that learns a circuit from a table, and predicts with it.

Learning takes torch; a fitted classifier predicts with `gatewright.engine` and never imports torch, even when unpickled.
"""

from __future__ import annotations

from gatewright.errors import require_extra

require_extra("sklearn", "sklearn")

from gatewright.sklearn.classifier import GatewrightClassifier  # noqa: E402 (after the message that says how to install it)

__all__ = ["GatewrightClassifier"]
