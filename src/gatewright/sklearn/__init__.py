"""`GatewrightClassifier` and `GatewrightRegressor`: estimators of scikit-learn that learn a circuit from a table.

Learning takes torch; a fitted estimator predicts with `gatewright.engine` and never imports torch, even when unpickled.
"""

from __future__ import annotations

from gatewright.errors import require_extra

require_extra("sklearn", "sklearn")

from gatewright.sklearn.classifier import GatewrightClassifier  # noqa: E402 (after the message that says how to install it)
from gatewright.sklearn.regressor import GatewrightRegressor  # noqa: E402

__all__ = ["GatewrightClassifier", "GatewrightRegressor"]
