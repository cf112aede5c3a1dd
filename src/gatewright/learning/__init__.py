"""Learning beyond gradients: which connections to try, and when to freeze a layer.

Step each object like a learning-rate scheduler, after `optimizer.step()`, in any training loop. A step is `observe()`,
which computes with tensors and never reads their values (it may be part of a CUDA graph), and `decide()`, which acts.
"""

from gatewright.learning.convergence import Convergence
from gatewright.learning.cost import ExpectedCost
from gatewright.learning.freezing import AdaptiveDiscretization
from gatewright.learning.products import ProductProposals
from gatewright.learning.proposals import GuidedProposals
from gatewright.learning.resampling import AdaptiveResampling

__all__ = [
    "AdaptiveDiscretization",
    "AdaptiveResampling",
    "Convergence",
    "ExpectedCost",
    "GuidedProposals",
    "ProductProposals",
]
