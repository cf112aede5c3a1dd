"""What a training run is: one validated tree of options.

Every option has a place, a type and a default here, and nothing else is accepted: an unknown key is refused with the
nearest valid one. Moments (when something starts or stops) are either steps (whole numbers) or shares of the run
(numbers with a point, 0.0 to 1.0). Sizes are either whole numbers or multiples of `model.k` (`"4 * k"`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from gatewright.errors import OptionError


class Section(BaseModel):
    """Base of all sections: no unknown keys, no silent conversions, no changes after validation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _moment(value: float) -> float:
    if value < 0 or (isinstance(value, float) and value > 1):
        raise ValueError("must be a number of steps (whole, 0 or more) or a share of the run (0.0 to 1.0)")
    return value


def _size(value: int | str) -> int | str:
    if isinstance(value, str):
        _factor(value)
    elif value < 1:
        raise ValueError("must be at least 1")
    return value


def _factor(text: str) -> int:
    """The m of a relative size "m * k" (or "k")."""
    head, star, tail = text.replace(" ", "").rpartition("*")
    if tail != "k" or (star and not (head.isdecimal() and int(head) > 0)):
        raise ValueError(f"must be a whole number or a multiple of model.k such as '4 * k', got {text!r}")
    return int(head) if star else 1


Moment = Annotated[int | float, AfterValidator(_moment)]
Size = Annotated[int | str, AfterValidator(_size)]
Share = Annotated[float, Field(ge=0, le=1)]


def at_step(moment: float, steps: int) -> int:
    """The step that a moment stands for in a run of `steps` steps."""
    return round(moment * steps) if isinstance(moment, float) else moment


class EncoderOptions(Section):
    """How raw features become bits.

    Attributes:
        kind: `uniform` spreads the thresholds evenly over the feature's range, `quantile` over its training values.
        thresholds: Bits per feature (per channel for images).
        low: Lower end of the range of `uniform`; null for that of the features' type (0 for float32).
        high: Upper end of the range of `uniform`; null for that of the features' type (1 for float32).
    """

    kind: Literal["uniform", "quantile"] = "uniform"
    thresholds: PositiveInt = 1
    low: float | None = None
    high: float | None = None


class AugmentOptions(Section):
    """Random changes of the training images, before they are encoded.

    Attributes:
        rotation: Greatest angle, in degrees, either way.
        scale: Greatest relative change of size.
        bend: Greatest displacement of a coarse grid of points, in pixels: elastic distortion.
        shift: Greatest shift along each axis, in pixels.
        flip: Whether to mirror half of the images.
        crop: Pixels of padding from which a window of the original size is cut.
        brightness: Greatest change of all values, as a share of their range.
        contrast: Greatest relative change of the distance from the middle of the range.
    """

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    bend: Annotated[float, Field(ge=0, le=16)] = 0.0
    shift: NonNegativeInt = 0
    flip: bool = False
    crop: NonNegativeInt = 0
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return self != AugmentOptions()


class DataOptions(Section):
    """What is learned.

    Attributes:
        name: A data set known to `gatewright data`.
        encoder: Features to bits.
        augment: Random changes of the training images.
        validation: `holdout` chooses on the data set's validation split and learns from the rest; `none` learns from
            both and keeps the last weights, as there is nothing left to choose on.
    """

    name: str
    encoder: EncoderOptions = EncoderOptions()
    augment: AugmentOptions = AugmentOptions()
    validation: Literal["holdout", "none"] = "holdout"


class Dense(Section):
    """`repeat` dense layers of `width` neurons each.

    `inputs` says how many inputs a neuron may see: 0 for all, or n neighbouring ones, n a divisor of the number there is.
    Layers that halve the width with `inputs: 2` form trees: their wiring is fixed, only gates are learned.

    With `gates: logic` the neurons keep to the ten gates that need both inputs, so that no tree loses a branch.

    With `gates: wires` they only choose a bit, as it is or inverted, and cost no gates: before the group sum, such a
    layer lets one gate count for several classes, or more than once.
    """

    type: Literal["dense"]
    width: Size
    inputs: NonNegativeInt = 0
    gates: Literal["all", "logic", "wires"] = "all"
    repeat: PositiveInt = 1


class Conv(Section):
    """`repeat` convolutions of `channels` output channels each; `padding` defaults to half the kernel.

    `channels_in` says how many input channels a neuron may see: 1 (space is mixed, channels are not), 0 for all, or n
    neighbouring ones, n a divisor of the number there is.
    """

    type: Literal["conv"]
    channels: Size
    kernel: PositiveInt = 3
    stride: PositiveInt = 1
    padding: NonNegativeInt | None = None
    channels_in: NonNegativeInt = 1
    repeat: PositiveInt = 1


class Flatten(Section):
    """Images to rows of features; stands between the encoder or a convolution and a dense layer."""

    type: Literal["flatten"]


class Upsample(Section):
    """Repeats each pixel `scale` times in both directions (nearest neighbour: pixels that are mixed are not Boolean)."""

    type: Literal["upsample"]
    scale: PositiveInt = 2


def _with_kind(kind: str) -> BeforeValidator:
    """Options without a kind are those of this kind."""
    return BeforeValidator(lambda value: {"kind": kind, **value} if isinstance(value, dict) else value)


class SumHead(Section):
    """Each class counts the bits of its own group."""

    kind: Literal["sum"]


class WeightedHead(Section):
    """Each class weighs every bit with a learned whole number: more adders, but far fewer gates.

    Attributes:
        kind: `weighted`.
        limit: Greatest magnitude of a weight.
        lr: Learning rate of the weights, which follows the schedule of the gates'.
    """

    kind: Literal["weighted"]
    limit: PositiveInt = 1
    lr: PositiveFloat = 0.001


HeadOptions = Annotated[Annotated[SumHead | WeightedHead, Field(discriminator="kind")], _with_kind("sum")]


class ModelOptions(Section):
    """The network between the encoder and the group sum.

    Where every pixel of the data has a class, the group sum is taken at each pixel: the last layer is a convolution whose
    channels divide into the classes, and whose size is that of the labels.

    Attributes:
        layers: The layers in order.
        k: The size that relative sizes are multiples of.
        candidates: Candidates per neuron.
        relaxation: `soft` (the paper's mixture) or `hard` (straight-through).
        gradients: `int8` (rounded stochastically; only with the hard relaxation on the CPU) or `float`.
        init: Initial logits.
        tau: Temperature of the head; null for the rule of `gatewright.nn.GroupSum` or `WeightedSum`.
        head: `sum` or `weighted`.
    """

    layers: Annotated[
        list[Annotated[Dense | Conv | Flatten | Upsample, Field(discriminator="type")]], Field(min_length=1)
    ]
    k: PositiveInt | None = None
    candidates: PositiveInt = 16
    relaxation: Literal["soft", "hard"] = "soft"
    gradients: Literal["int8", "float"] = "int8"
    init: Literal["gaussian", "residual"] = "gaussian"
    tau: PositiveFloat | None = None
    head: HeadOptions = SumHead(kind="sum")

    def size(self, value: int | str) -> int:
        """A size as a number, relative ones multiplied out."""
        if not isinstance(value, str):
            return value
        if self.k is None:
            raise OptionError(f"the size {value!r} is a multiple of model.k, but model.k is not set")
        return _factor(value) * self.k


class OptimizerOptions(Section):
    """Adam and its learning rate.

    Attributes:
        kind: Only Adam.
        lr: Learning rate; null for the rule: 0.02 for soft networks with convolutions, 0.01 for all others.
        betas: Adam's decay rates.
        schedule: `constant`; `cosine` to zero; `one-cycle` up over the first 30 % and down to zero; `step` down to a
            tenth at half and to a hundredth at three quarters of the run.
        warmup: Linear rise from zero up to this moment.
        clip: Greatest norm of the gradient; null for no clipping.
    """

    kind: Literal["adam"] = "adam"
    lr: PositiveFloat | None = None
    betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)] = [0.9, 0.999]
    schedule: Literal["constant", "cosine", "one-cycle", "step"] = "constant"
    warmup: Moment = 0
    clip: PositiveFloat | None = None


class FixedConnections(Section):
    """Candidates stay as they were drawn."""

    kind: Literal["fixed"]


class ResampledConnections(Section):
    """The paper's adaptive resampling: converged neurons redraw their candidates.

    Attributes:
        kind: `resample`.
        patience: Steps in a row that a neuron's entropy must stand still.
        decay: Of the entropy's moving average.
        tolerance: What counts as standing still.
        strong: Best probability above which the best candidate is kept and the others are redrawn.
        weak: Best probability below which all are redrawn.
        stop: Moment after which nothing is redrawn.
    """

    kind: Literal["resample"]
    patience: PositiveInt = 100
    decay: Share = 0.99
    tolerance: PositiveFloat = 5e-4
    strong: Share = 0.95
    weak: Share = 0.4
    stop: Moment = 2 / 3


class GuidedConnections(Section):
    """Gradient-guided proposals: the candidate that the gradient wants replaces the least likely one.

    Attributes:
        kind: `guided`.
        every: Steps of a round.
        batches: Batches at its end over which the pairs on trial are judged.
        method: `pairs` tries random pairs, in the kernels of the candidate sums; `products` pairs a few anchors of each
            neuron with every input, in matrix products (for GPUs).
        trials: Pairs on trial per neuron and round, with `pairs`.
        inputs: Inputs tried per round, at most, with `products`.
        chance: Probability with which a neuron may take one of them, with `products`.
        replace: Candidates replaced per neuron and round, at most.
        margin: How far below the best logit a new candidate starts.
        share: Share of the neurons that may replace a candidate in a round.
        stop: Moment after which nothing is replaced.
    """

    kind: Literal["guided"]
    every: PositiveInt = 10
    batches: PositiveInt = 2
    method: Literal["pairs", "products"] = "pairs"
    trials: PositiveInt = 16
    inputs: PositiveInt = 1024
    chance: float = Field(default=0.1, gt=0, le=1)
    replace: PositiveInt = 1
    margin: float = 0.3
    share: float = Field(default=1.0, gt=0, le=1)
    stop: Moment = 2 / 3


class AdaptiveFreezing(Section):
    """The paper's adaptive discretization: a layer is frozen once its mean entropy has converged.

    Attributes:
        kind: `adaptive`.
        start: Moment from which layers may be frozen.
        patience: Steps in a row that a layer's mean entropy must stand still.
        decay: Of the entropy's moving average.
        tolerance: What counts as standing still.
    """

    kind: Literal["adaptive"]
    start: Moment = 2 / 3
    patience: PositiveInt = 100
    decay: Share = 0.99
    tolerance: PositiveFloat = 5e-4


class NoFreezing(Section):
    """No layer is frozen while the network learns; it is discretized at the end."""

    kind: Literal["none"]


class TrainOptions(Section):
    """The run itself.

    Attributes:
        steps: Optimizer steps.
        batch: Samples a step.
        eval_every: Steps between evaluations on the validation split; null for 20 evaluations over the run.
        checkpoint_every: Steps between checkpoints; null for one with every evaluation.
        log_every: Steps between lines of training metrics.
        seed: Of the run's one random generator.
        device: `auto` takes CUDA where there is one.
        precision: Type of the activations of soft layers; sums, weights and the optimizer are float32 in either case.
        graph: On CUDA, whether steps are recorded and repeated as CUDA graphs.
        threads: Of the CPU; null for one thread where a step is so little work that waiting for others costs more
            than they do, and as many as torch takes elsewhere.
        keep: `best` keeps the weights of the best hard validation accuracy (the latest among equals), `last` the final
            ones.
    """

    steps: PositiveInt
    batch: PositiveInt = 128
    eval_every: PositiveInt | None = None
    checkpoint_every: PositiveInt | None = None
    log_every: PositiveInt = 50
    seed: NonNegativeInt = 0
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    graph: bool = True
    threads: PositiveInt | None = None
    keep: Literal["best", "last"] = "best"

    @property
    def evaluation_interval(self) -> int:
        """Steps between evaluations."""
        return self.eval_every or max(1, self.steps // 20)

    @property
    def checkpoint_interval(self) -> int:
        """Steps between checkpoints."""
        return self.checkpoint_every or self.evaluation_interval


Connections = Annotated[
    Annotated[FixedConnections | ResampledConnections | GuidedConnections, Field(discriminator="kind")],
    _with_kind("resample"),
]
Discretization = Annotated[
    Annotated[AdaptiveFreezing | NoFreezing, Field(discriminator="kind")],
    _with_kind("none"),
]


class CircuitOptions(Section):
    """What becomes of the circuit after lossless simplification.

    Attributes:
        prune: Whether to remove gates that training samples cannot tell from simpler ones, as far as the accuracy on
            validation does not fall. This is lossy: the circuit is no longer the network for every input.
    """

    prune: bool = False


class RunConfig(Section):
    """All options of a training run; see the sections."""

    description: str = ""
    data: DataOptions
    model: ModelOptions
    optimizer: OptimizerOptions = OptimizerOptions()
    connections: Connections = ResampledConnections(kind="resample")
    discretization: Discretization = NoFreezing(kind="none")
    train: TrainOptions
    circuit: CircuitOptions = CircuitOptions()

    def as_dict(self) -> dict[str, Any]:
        """All options, defaults included, as plain values that YAML and JSON can hold."""
        return self.model_dump(mode="json")
