"""Sections of `model.head`: how the last bits become scores.

A head of your own is a subclass of `Head`, registered with `HEADS.register`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from gatewright.errors import OptionError
from gatewright.runtime.schema import Choice, Section
from gatewright.training.config.values import Rate, Shape

if TYPE_CHECKING:
    import torch


class Head(Section):
    """Base of the heads.

    Attributes:
        kind: Names the section.
    """

    kind: str

    def check(self, width: int, classes: int, label_shape: Shape, where: str) -> None:
        """Refuse what the head cannot decide from.

        Args:
            width: Bits per sample, or channels per pixel where pixels have classes.
            classes: Number of classes.
            label_shape: Shape of one sample's labels.
            where: Key of the last layer, for messages.

        Raises:
            OptionError: The head does not fit.
        """

    def build(
        self, width: int, classes: int, label_shape: Shape, *, tau: float | None, generator: torch.Generator
    ) -> torch.nn.Module:
        """The module; the arguments are those of `check`, the temperature, and the source of randomness."""
        raise NotImplementedError

    def rate(self, default: float) -> float:
        """Learning rate of the head's own parameters, where that of the layers is `default`."""
        return default


HEADS: Choice[Head] = Choice("kind", "sum")


def _check_classes(kind: str, classes: int) -> None:
    """Refuse numbers where classes are decided."""
    if classes == 1:
        raise OptionError(
            f"model.head is {kind}, which decides for classes, but the data have a number per sample; "
            "set model.head.kind=number"
        )


@HEADS.register
class SumHead(Head):
    """Each class counts the bits of its own group."""

    kind: Literal["sum"]

    def check(self, width: int, classes: int, label_shape: Shape, where: str) -> None:
        _check_classes(self.kind, classes)
        if width % classes:
            below = max(1, width // classes) * classes
            what = "channels" if label_shape else "bits"
            raise OptionError(
                f"{where} has {width} {what}, which do not divide into {classes} classes; take {below} or {below + classes}"
            )

    def build(
        self, width: int, classes: int, label_shape: Shape, *, tau: float | None, generator: torch.Generator
    ) -> torch.nn.Module:
        from gatewright.nn import GroupSum, PixelGroupSum

        return (PixelGroupSum if label_shape else GroupSum)(classes, tau=tau)


@HEADS.register
class WeightedHead(Head):
    """Each class weighs every bit with a learned whole number: more adders, but far fewer gates.

    Attributes:
        kind: `weighted`.
        limit: Greatest magnitude of a weight.
        lr: Learning rate of the weights, which follows the schedule of the gates'.
    """

    kind: Literal["weighted"]
    limit: Annotated[int, Field(ge=1, le=127)] = 1
    lr: Rate = 0.001

    def check(self, width: int, classes: int, label_shape: Shape, where: str) -> None:
        _check_classes(self.kind, classes)
        if label_shape:
            raise OptionError("model.head is weighted, which decides for whole samples, but the labels are of pixels")

    def build(
        self, width: int, classes: int, label_shape: Shape, *, tau: float | None, generator: torch.Generator
    ) -> torch.nn.Module:
        from gatewright.nn import WeightedSum

        return WeightedSum(width, classes, limit=self.limit, tau=tau, generator=generator)

    def rate(self, default: float) -> float:
        return self.lr


@HEADS.register
class NumberHead(WeightedHead):
    """A number in the place of classes, for targets of mean 0 and variance 1; data with classes are refused.

    Attributes:
        kind: `number`.
        limit: Greatest magnitude of a weight.
        lr: Learning rate of the weights, which follows the schedule of the gates'.
    """

    kind: Literal["number"]  # type: ignore[assignment]
    limit: Annotated[int, Field(ge=1, le=127)] = 7
    lr: Rate = 0.02

    def check(self, width: int, classes: int, label_shape: Shape, where: str) -> None:
        if label_shape or classes != 1:
            raise OptionError(
                f"model.head is number, which learns numbers, but the data have {classes} classes; "
                "tables with a number per row are learned with data.predict=number (--number)"
            )

    def build(
        self, width: int, classes: int, label_shape: Shape, *, tau: float | None, generator: torch.Generator
    ) -> torch.nn.Module:
        from gatewright.nn import NumberSum

        return NumberSum(width, limit=self.limit, tau=tau, generator=generator)
