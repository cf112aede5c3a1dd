"""`Engine`: a circuit, ready to run on this machine's cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit, Head
from gatewright.engine import kernels
from gatewright.engine.inputs import PackedBits, Samples, bit_samples, feature_samples
from gatewright.engine.pipeline import BLOCKS, Pipeline
from gatewright.errors import OptionError, UnsupportedError, unknown_name

RESULTS = ("classes", "scores", "probabilities")
"""What a stream of samples can be turned into."""

_Source = tuple[Pipeline, Samples | PackedBits]
_Run = Callable[[_Source], npt.NDArray[Any]]


class Engine:
    """Evaluates a circuit on packed bits, 64 samples a word, on all cores.

    A head that decides for several places (the pixels of an image) gives classes [n, *places], and counts, scores and
    probabilities [n, *places, classes]. Results do not depend on the number of threads or the size of a block. An engine
    may be used by several threads.

    Args:
        circuit: Any circuit, simplified or not; with an encoder it takes raw features, with a head it gives classes.
        threads: Threads to use; the cores this process may run on unless told.
        block: Samples evaluated at a time, 512, 1024 or 2048; chosen from the size of the caches unless told.

    Raises:
        OptionError: `threads` or `block` is out of range.
    """

    def __init__(self, circuit: Circuit, *, threads: int | None = None, block: int | None = None) -> None:
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise OptionError(f"threads is {threads!r}, expected a positive number, or None for all cores")
        if block is not None and block not in BLOCKS:
            raise OptionError(f"block is {block!r}, expected one of {BLOCKS} samples, or None to choose")
        self.circuit = circuit
        self.threads = threads or (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        self._from_bits = Pipeline(circuit, None, block)
        self._from_features = Pipeline(circuit, circuit.encoder, block) if circuit.encoder else self._from_bits
        self.block = self._from_features.block

    @classmethod
    def from_file(cls, path: str | Path, *, threads: int | None = None, block: int | None = None) -> Self:
        """Engine for the circuit in a .gw file.

        Args:
            path: The file.
            threads: As for `Engine`.
            block: As for `Engine`.

        Raises:
            FormatError: The file is damaged or no circuit.
        """
        from gatewright.circuit.io import load_circuit  # noqa: PLC0415 (engines of circuits in memory need no reader)

        return cls(load_circuit(path), threads=threads, block=block)

    def predict(self, x: Any) -> npt.NDArray[np.int64]:
        """Classes int64 [n], the lowest among those with the greatest count.

        Args:
            x: Raw features [n, *encoder.shape] of the encoder's dtype or one it can hold without loss; anything that
                offers `__array__` or `__dlpack__`, memory-mapped arrays included, which are read piece by piece.
                For a circuit without an encoder, Boolean inputs as for `predict_bits`.

        Raises:
            ShapeError: x has another shape.
            DtypeError: x has a dtype that the encoder's cannot hold.
            DataError: x contains NaN.
            UnsupportedError: The circuit has no head.
        """
        return self._classes(self._features(x))

    def counts(self, x: Any) -> npt.NDArray[np.int64]:
        """Counts int64 [n, classes], offsets included; arguments and errors as for `predict`."""
        return self._counts(self._features(x))

    def scores(self, x: Any) -> npt.NDArray[np.float32]:
        """Scores float32 [n, classes], counts / tau; arguments and errors as for `predict`."""
        return self._scores(self._features(x))

    def predict_proba(self, x: Any) -> npt.NDArray[np.float32]:
        """Softmax of the scores, float32 [n, classes]; arguments and errors as for `predict`."""
        return self._probabilities(self._features(x))

    def outputs(self, x: Any) -> npt.NDArray[np.bool_]:
        """Outputs of the gates, bool [n, outputs], before any head; arguments and errors as for `predict`."""
        return self._outputs(self._features(x))

    def predict_bits(self, bits: Any, n: int | None = None) -> npt.NDArray[np.int64]:
        """Classes int64 [n] from Boolean inputs, the encoder left out.

        Args:
            bits: bool [n, n_inputs], or packed uint64 [n_inputs, words], sample s in bit s % 64 of word s // 64.
            n: Samples in packed bits, 64 x words unless told.

        Raises:
            ShapeError: The shape of `bits`, or `n`, does not fit.
            DtypeError: `bits` are neither bool nor uint64.
            UnsupportedError: The circuit has no head.
        """
        return self._classes(self._bits(bits, n))

    def counts_bits(self, bits: Any, n: int | None = None) -> npt.NDArray[np.int64]:
        """Counts int64 [n, classes]; arguments and errors as for `predict_bits`."""
        return self._counts(self._bits(bits, n))

    def scores_bits(self, bits: Any, n: int | None = None) -> npt.NDArray[np.float32]:
        """Scores float32 [n, classes]; arguments and errors as for `predict_bits`."""
        return self._scores(self._bits(bits, n))

    def predict_proba_bits(self, bits: Any, n: int | None = None) -> npt.NDArray[np.float32]:
        """Softmax of the scores, float32 [n, classes]; arguments and errors as for `predict_bits`."""
        return self._probabilities(self._bits(bits, n))

    def outputs_bits(self, bits: Any, n: int | None = None) -> npt.NDArray[np.bool_]:
        """Outputs of the gates, bool [n, outputs]; arguments and errors as for `predict_bits`."""
        return self._outputs(self._bits(bits, n))

    def predict_stream(self, arrays: Iterable[Any], result: str = "classes") -> Iterator[npt.NDArray[Any]]:
        """Results for each array of a stream in turn, one array in memory at a time.

        Args:
            arrays: Samples as for `predict`, in parts.
            result: One of `RESULTS`: "classes" as `predict` gives them, "scores", or "probabilities".

        Raises:
            OptionError: `result` is unknown.
            UnsupportedError: The circuit has no head.
            DataError: As for `predict`, when its turn comes; samples are counted over the whole stream.
        """
        if result not in RESULTS:
            raise unknown_name("result", str(result), RESULTS)
        self._head()
        runs: dict[str, _Run] = {"classes": self._classes, "scores": self._scores, "probabilities": self._probabilities}
        return self._stream(arrays, runs[result])

    def _stream(self, arrays: Iterable[Any], run: _Run) -> Iterator[npt.NDArray[Any]]:
        first = 0
        for x in arrays:
            source = self._features(x, first)
            yield run(source)
            first += source[1].n

    def _features(self, x: Any, first: int = 0) -> _Source:
        encoder = self.circuit.encoder
        if encoder is None:
            return self._bits(x)
        return self._from_features, feature_samples(x, encoder.shape, encoder.dtype, first)

    def _bits(self, bits: Any, n: int | None = None) -> _Source:
        return self._from_bits, bit_samples(bits, self.circuit.n_inputs, n)

    def _head(self) -> Head:
        if self.circuit.head is None:
            raise UnsupportedError("the circuit has no head, so there are no classes; use outputs() or outputs_bits()")
        return self.circuit.head

    def _classes(self, source: _Source) -> npt.NDArray[np.int64]:
        if self._head().places:
            decided: npt.NDArray[np.int64] = self._counts(source).argmax(axis=-1).astype(np.int64)
            return decided
        pipeline, samples = source
        classes = np.empty((1, samples.n), np.int64)
        pipeline.run(kernels.CLASSES, samples, self.threads, classes)
        return classes.reshape(-1)

    def _counts(self, source: _Source) -> npt.NDArray[np.int64]:
        pipeline, samples = source
        counts = np.empty((self._head().n_groups, samples.n), np.int64)
        pipeline.run(kernels.COUNTS, samples, self.threads, counts)
        return self._head().by_place(np.ascontiguousarray(counts.T))

    def _scores(self, source: _Source) -> npt.NDArray[np.float32]:
        scores: npt.NDArray[np.float32] = (self._counts(source) / self._head().tau).astype(np.float32)
        return scores

    def _probabilities(self, source: _Source) -> npt.NDArray[np.float32]:
        wide = self._scores(source).astype(np.float64)
        powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
        shares: npt.NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
        return shares

    def _outputs(self, source: _Source) -> npt.NDArray[np.bool_]:
        pipeline, samples = source
        outputs = np.empty((samples.n, self.circuit.n_outputs), np.uint8)
        pipeline.run(kernels.OUTPUTS, samples, self.threads, outputs)
        return outputs.view(np.bool_)
