"""Random changes of training images."""

from gatewright.data.augment.augment import Augment

__all__ = ["Augment"]
