"""Forests of decision trees as circuits, whatever library grew them.

A circuit reads each threshold once (a bit of its encoder), computes for every leaf whether a sample reaches it, and ORs
those bits into the binary digits of what each tree adds to each class. All classes and digits share the bits of the leaves.
The head counts digit d of a class 2^d times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.errors import FormatError, GatewrightError, OptionError, UnsupportedError
from gatewright.features import check_samples
from gatewright.foreign.thresholds import first_above
from gatewright.gates import Gate

Int64Array = npt.NDArray[np.int64]
Float64Array = npt.NDArray[np.float64]

MOST_BITS = 10
"""Of a leaf value: the head counts its digits up to 2^10 times."""

_MOST_COUNTED = 1 << 26
_WORKING_VALUES = 1 << 22


@contextmanager
def reading(library: str) -> Iterator[None]:
    """Report an entry that is missing or of another kind, while a library's model in JSON is read, as a FormatError."""
    try:
        yield
    except GatewrightError:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FormatError(f"not {library}'s model in JSON: {type(error).__name__} {str(error)[:100]}") from error


@dataclass(frozen=True, eq=False)
class Forest:
    """Decision trees whose leaves add to the scores of classes, as the library that grew them computes.

    Attributes:
        root: int64 [trees], the node at which each tree begins.
        feature: int64 [nodes], the feature that a node compares; -1 for a leaf.
        threshold: float64 [nodes], what it is compared with.
        left: int64 [nodes], the next node if the feature is below (or at) the threshold.
        right: int64 [nodes], the next node otherwise.
        value: float64 [nodes, classes], what a leaf adds to each score.
        base: float64 [classes], the scores before any tree.
        n_features: Number of raw features.
        library: What grew it, with its version where known: kept in the circuit's metadata.
        at_threshold_left: Whether a feature equal to the threshold goes left.
        compares_float32: Whether the library converts features to float32 before it compares.
        divisor: The library's scores are the sums divided by this.
        ties_to_last: Of two classes, whether the library takes the last one of equal scores; otherwise the first one.
        class_names: Names of the classes, or empty.
        feature_names: Names of the features, or empty.
        flips: Of nodes that ask for categories, in place of a threshold: float64, ascending; a feature goes right if it is
            at least an odd number of them (`gatewright.foreign.categories`).
        levels: Nodes by their depth, int64 [nodes of a depth] each.
        tree: int64 [nodes], the tree of each node.
    """

    root: Int64Array
    feature: Int64Array
    threshold: Float64Array
    left: Int64Array
    right: Int64Array
    value: Float64Array
    base: Float64Array
    n_features: int
    library: str
    at_threshold_left: bool = True
    compares_float32: bool = True
    divisor: float = 1.0
    ties_to_last: bool = False
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    flips: Mapping[int, Float64Array] = field(default_factory=dict)
    levels: tuple[Int64Array, ...] = field(init=False, repr=False)
    tree: Int64Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not np.isfinite(self.value).all() or not np.isfinite(self.base).all():
            raise UnsupportedError(f"{self.library}: a leaf or a first score is NaN or infinite")
        inner = self.feature >= 0
        if np.isnan(self.threshold[inner]).any() or self.feature.max(initial=-1) >= self.n_features:
            raise FormatError(f"{self.library}: a node compares no feature of 0..{self.n_features - 1} with a number")
        levels, tree = self._walk(inner)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "tree", tree)

    def _walk(self, inner: npt.NDArray[np.bool_]) -> tuple[tuple[Int64Array, ...], Int64Array]:
        """Nodes by depth, and the tree of each node.

        Raises:
            FormatError: What is described are no trees.
        """
        n = len(self.feature)
        tree = np.full(n, -1, np.int64)
        levels = []
        nodes, owner = self.root, np.arange(len(self.root))
        while len(nodes):
            if nodes.min() < 0 or nodes.max() >= n or len(np.unique(nodes)) < len(nodes) or (tree[nodes] >= 0).any():
                raise FormatError(f"{self.library}: nodes do not form trees: one is missing, or is reached twice")
            tree[nodes] = owner
            levels.append(nodes)
            split = inner[nodes]
            owner = np.tile(owner[split], 2)
            nodes = np.concatenate([self.left[nodes[split]], self.right[nodes[split]]])
        return tuple(levels), tree

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.base)

    def scores(self, x: npt.ArrayLike) -> Float64Array:
        """Scores float64 [n, classes] of samples, from the leaf values as they are, added in float64.

        Args:
            x: [n, features], of any type of numbers.
        """
        rows = np.asarray(x, np.float32 if self.compares_float32 else np.float64)
        rows = rows.reshape(len(rows), self.n_features)
        result = np.tile(self.base, (len(rows), 1))
        step = max(1, _WORKING_VALUES // max(1, len(self.root) * self.n_classes))
        for start in range(0, len(rows), step):
            block = rows[start : start + step].astype(np.float64)
            at = np.tile(self.root, (len(block), 1))
            for _ in self.levels:
                feature = self.feature[at]
                compared = np.take_along_axis(block, np.maximum(feature, 0), 1)
                right = compared > self.threshold[at] if self.at_threshold_left else compared >= self.threshold[at]
                for node, values in self.flips.items():
                    here = at == node
                    right[here] = np.searchsorted(values, compared[here], side="right") % 2 == 1
                at = np.where(feature < 0, at, np.where(right, self.right[at], self.left[at]))
            result[start : start + step] += self.value[at].sum(1)
        return result / self.divisor

    def classify(self, x: npt.ArrayLike) -> Int64Array:
        """Classes int64 [n], by `scores`."""
        scores = self.scores(x)
        if self.ties_to_last:
            return np.asarray(scores[:, -1] >= scores[:, 0], np.int64)
        return np.asarray(scores.argmax(1), np.int64)


def forest_circuit(
    forest: Forest,
    *,
    dtype: str = "float32",
    shape: tuple[int, ...] = (),
    quantize: int | None = None,
    class_names: tuple[str, ...] = (),
    feature_names: tuple[str, ...] = (),
) -> Circuit:
    """A forest as a circuit, not simplified.

    Args:
        forest: The forest.
        dtype: Type of the circuit's raw features. A forest that was grown on pixels 0 to 255 takes "uint8".
        shape: Shape of one sample, if it is not (features,).
        quantize: Bits of a leaf value, 1 to 10. None if leaf values are whole numbers: then the circuit is exact.
        class_names: Names of the classes, in place of the forest's.
        feature_names: Names of the features, in place of the forest's.

    Raises:
        OptionError: An option is out of range.
        UnsupportedError: Leaf values are no whole numbers, and `quantize` is None; or there are too many to count.
    """
    shape = shape or (forest.n_features,)
    if int(np.prod(shape)) != forest.n_features:
        raise OptionError(f"shape is {shape}, but {forest.library} was grown on {forest.n_features} features")
    value, base, scale = _whole(forest, quantize)
    builder, bits, encoder = _encoder(forest, dtype, shape, feature_names or forest.feature_names)
    reach = _reach(forest, builder, bits)
    leaf = forest.feature < 0
    least = np.full((len(forest.root), value.shape[1]), np.iinfo(np.int64).max)
    np.minimum.at(least, forest.tree[leaf], value[leaf])
    offset = base + least.sum(0)
    value[leaf] -= least[forest.tree[leaf]]
    if forest.ties_to_last:
        offset[0] -= 1
    outputs, group = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for k in range(value.shape[1]):
        greatest = int(value[leaf, k].max(initial=0))
        for digit in range(greatest.bit_length()):
            found = _digit(forest, builder, reach, (value[:, k] >> digit & 1).astype(np.bool_) & leaf)
            outputs.append(np.repeat(found, 1 << digit))
            group.append(np.full(len(outputs[-1]), k))
    counted = sum(map(len, outputs))
    if counted > _MOST_COUNTED:
        raise UnsupportedError(f"{forest.library}: its head would count {counted:,} bits; quantize to fewer bits")
    head = Head(np.concatenate(group), offset, float(scale * forest.divisor), tuple(class_names) or forest.class_names)
    metadata = {"imported": forest.library, "trees": str(len(forest.root))}
    if quantize is not None:
        metadata["quantized"] = f"leaf values to {quantize} bits"
    return builder.build(np.concatenate(outputs), encoder=encoder, head=head, metadata=metadata)


def cost_of_quantizing(forest: Forest, circuit: Circuit, x: Any, y: npt.ArrayLike, predicted: Int64Array) -> str:
    """What rounding leaf values costs on given samples: both accuracies, and the number of decisions that changed.

    Args:
        forest: The forest.
        circuit: Its circuit.
        x: Raw samples [n, *shape] of the circuit's type.
        y: int [n], classes.
        predicted: int64 [n], classes that the circuit gives.
    """
    assert circuit.encoder is not None  # noqa: S101 - made by forest_circuit
    wanted = forest.classify(check_samples(x, circuit.encoder.shape, circuit.encoder.dtype))
    truth = np.asarray(y)
    before, after = (100 * float(np.mean(classes == truth)) for classes in (wanted, predicted))
    changed = int(np.count_nonzero(wanted != predicted))
    return f"accuracy {before:.2f} % to {after:.2f} % on {len(truth):,} samples, {changed:,} decisions changed"


def _whole(forest: Forest, quantize: int | None) -> tuple[Int64Array, Int64Array, float]:
    """Leaf values and first scores as whole numbers, and what a score of 1 has become.

    Of two classes only the difference of their scores counts: the first one's is 0 then.
    """
    value, base = forest.value, forest.base
    if len(base) == 2:
        value, base = (np.stack([0 * v[..., 1], v[..., 1] - v[..., 0]], -1) for v in (value, base))
    leaf = forest.feature < 0
    if quantize is None:
        if not (np.array_equal(value[leaf], np.rint(value[leaf])) and np.array_equal(base, np.rint(base))):
            raise UnsupportedError(
                f"{forest.library}: leaf values are fractions, which no circuit adds exactly; give quantize=BITS "
                f"(--quantize BITS), 1 to {MOST_BITS}, to round them, and samples to see what that costs"
            )
        scale = 1.0
    else:
        if isinstance(quantize, bool) or not isinstance(quantize, int) or not 1 <= quantize <= MOST_BITS:
            raise OptionError(f"quantize is {quantize!r}, expected the bits of a leaf value, 1 to {MOST_BITS}")
        widest = 0.0
        if leaf.any():
            low, high = (np.full((len(forest.root), value.shape[1]), end) for end in (np.inf, -np.inf))
            np.minimum.at(low, forest.tree[leaf], value[leaf])
            np.maximum.at(high, forest.tree[leaf], value[leaf])
            widest = float((high - low).max())
        scale = ((1 << quantize) - 1) / widest if widest > 0 else 1.0
    whole = np.where(leaf[:, None], np.rint(value * scale), 0)
    first = np.rint(base * scale)
    if max(np.abs(whole).max(initial=0), np.abs(first).max(initial=0)) >= 1 << 52:
        raise UnsupportedError(f"{forest.library}: a leaf value or first score is too large beside the others to count")
    whole = whole.astype(np.int64)
    if quantize is None and np.ptp(whole, axis=0).max(initial=0) >= 1 << MOST_BITS:
        raise UnsupportedError(f"{forest.library}: leaf values need more than {MOST_BITS} bits; give quantize=BITS")
    return whole, first.astype(np.int64), scale


def _encoder(
    forest: Forest, dtype: str, shape: tuple[int, ...], feature_names: tuple[str, ...]
) -> tuple[Builder, Int64Array, Encoder]:
    """A builder, the node of each inner node's answer (whether a sample goes right), and the encoder."""
    asking = np.array(sorted(forest.flips), np.int64)
    comparing = np.setdiff1d(np.flatnonzero(forest.feature >= 0), asking)
    node = np.concatenate([comparing, np.repeat(asking, [len(forest.flips[i]) for i in asking.tolist()])])
    convert = partial(first_above, dtype=dtype, float32=forest.compares_float32)
    threshold = np.concatenate(
        [
            convert(forest.threshold[comparing], inclusive=not forest.at_threshold_left),
            *(convert(forest.flips[i], inclusive=True) for i in asking.tolist()),
        ]
    )
    possible = np.isfinite(threshold)
    pairs, which = np.unique(np.stack([forest.feature[node], threshold], 1)[possible], axis=0, return_inverse=True)
    builder = Builder(len(pairs))
    bit = np.full(len(node), -1, np.int64)
    bit[possible] = which.ravel()
    for end in (-np.inf, np.inf):
        if (always := threshold == end).any():
            bit[always] = builder.constant(end < 0)
    bits = np.full(len(forest.feature), -1, np.int64)
    bits[comparing] = bit[: len(comparing)]
    for i in asking.tolist():
        read, times = np.unique(bit[node == i], return_counts=True)
        parts = read[times % 2 == 1].tolist() or [builder.constant(False)]
        bits[i] = reduce(lambda a, b: int(builder.append(Gate.XOR, a, b)), parts)
    encoder = Encoder(pairs[:, 0].astype(np.int64), pairs[:, 1], shape, dtype, tuple(feature_names))
    return builder, bits, encoder


def _reach(forest: Forest, builder: Builder, bits: Int64Array) -> Int64Array:
    """The node that says whether a sample reaches a tree's node; -1 at the roots, which every sample reaches."""
    reach = np.full(len(forest.feature), -1, np.int64)
    for nodes in forest.levels[:-1]:
        split = nodes[forest.feature[nodes] >= 0]
        for root in (True, False):
            here = split[(reach[split] < 0) == root]
            bit, above = bits[here], reach[here]
            right, left = (Gate.B, Gate.NOT_B) if root else (Gate.AND, Gate.A_AND_NOT_B)
            above = bit if root else above
            reach[forest.right[here]] = builder.append(right, above, bit)
            reach[forest.left[here]] = builder.append(left, above, bit)
    return reach


def _digit(forest: Forest, builder: Builder, reach: Int64Array, chosen: npt.NDArray[np.bool_]) -> Int64Array:
    """For each tree that has any of the chosen leaves, the node that says whether a sample reaches one of them."""
    none, everything = -2, -1  # beside nodes of the circuit
    found = np.where(chosen, everything, none)
    for nodes in reversed(forest.levels):
        here = nodes[forest.feature[nodes] >= 0]
        left, right = (
            np.where(found[child] == everything, reach[child], found[child])
            for child in (forest.left[here], forest.right[here])
        )
        both = (left >= 0) & (right >= 0)
        full = (found[forest.left[here]] == everything) & (found[forest.right[here]] == everything)
        merged = np.where(full, everything, np.maximum(left, right))
        joined = both & ~full
        merged[joined] = builder.append(Gate.OR, left[joined], right[joined])
        found[here] = merged
    roots = np.array(found[forest.root])
    if (roots == everything).any():
        roots[roots == everything] = builder.constant(True)
    return np.asarray(roots[roots != none], np.int64)
