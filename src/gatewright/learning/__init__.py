"""Learning beyond gradients: which connections to try, and when to freeze a layer.

Each object is stepped like a learning-rate scheduler, after `optimizer.step()`, in anybody's training loop.
"""

from gatewright.learning.convergence import Convergence
from gatewright.learning.discretization import AdaptiveDiscretization, ScheduledDiscretization
from gatewright.learning.proposals import GuidedProposals
from gatewright.learning.resampling import AdaptiveResampling

__all__ = [
    "AdaptiveDiscretization",
    "AdaptiveResampling",
    "Convergence",
    "GuidedProposals",
    "ScheduledDiscretization",
]
