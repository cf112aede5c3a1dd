"""Learning beyond gradients: which connections to try, and when to freeze a layer.

Each object is stepped like a learning-rate scheduler, after `optimizer.step()`, in anybody's training loop. A step is
`observe()`, which computes with tensors alone and never asks what is in them (it may be part of a CUDA graph), and
`decide()`, which acts.
"""

from gatewright.learning.convergence import Convergence
from gatewright.learning.freezing import AdaptiveDiscretization
from gatewright.learning.products import ProductProposals
from gatewright.learning.proposals import GuidedProposals
from gatewright.learning.resampling import AdaptiveResampling

__all__ = [
    "AdaptiveDiscretization",
    "AdaptiveResampling",
    "Convergence",
    "GuidedProposals",
    "ProductProposals",
]
