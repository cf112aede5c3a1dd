"""`Engine`: a circuit, ready to run on this machine's cores."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit, Head
from gatewright.engine import kernels
from gatewright.engine.inputs import PackedSamples, Samples, read_samples
from gatewright.engine.pipeline import BLOCKS, Pipeline
from gatewright.errors import OptionError, UnsupportedError, shown, unknown_name

RESULTS = ("classes", "scores", "probabilities")
"""Results that a stream of samples can give."""


class Engine:
    """Evaluates a circuit on packed bits, 64 samples per word, on all cores.

    Every method takes raw features or, to skip the encoder, `PackedBits`. A head that decides for several places (the
    pixels of an image) gives classes [n, *places], and counts, scores and probabilities [n, *places, classes]. A head of
    numbers gives these in the place of classes, and neither scores nor probabilities. Results do not depend on the number
    of threads or the size of a block. Several threads may use one engine. Engines can be pickled and copied; the copy
    plans anew, for the machine it is on.

    Args:
        circuit: Any circuit, simplified or not; with an encoder it takes raw features, with a head it gives classes.
        threads: Threads to use; None for all cores this process may run on.
        block: Samples evaluated at a time, 512, 1024 or 2048; None to choose from the size of the caches.

    Raises:
        OptionError: `threads` or `block` is out of range.

    >>> import numpy as np
    >>> from gatewright import Circuit, Encoder, Engine, Head, PackedBits
    >>> circuit = Circuit(
    ...     n_inputs=2,
    ...     gate=[6],  # XOR
    ...     a=[0],
    ...     b=[1],
    ...     outputs=[0, 2],
    ...     encoder=Encoder([0, 1], [10, 128], shape=(2,), dtype="uint8"),
    ...     head=Head([0, 1], [0, 0]),
    ... )
    >>> engine = Engine(circuit, threads=1)
    >>> engine
    Engine(gates=1, takes=uint8 [n, 2], gives=2 classes, threads=1, block=1024)
    >>> x = np.array([[20, 200], [5, 255]], np.uint8)
    >>> engine.predict(x).tolist(), engine.counts(x).tolist()
    ([0, 1], [[1, 0], [0, 1]])
    >>> engine.predict(PackedBits.pack([[True, True], [False, True]])).tolist()
    [0, 1]
    """

    def __init__(self, circuit: Circuit, *, threads: int | None = None, block: int | None = None) -> None:
        if not isinstance(circuit, Circuit):
            raise OptionError(
                f"an engine runs a Circuit, got {shown(circuit)}: gatewright.load(...) gives a Model, which predicts by "
                "itself (its circuit is .circuit); gatewright.load_circuit reads a circuit file"
            )
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise OptionError(f"threads is {threads!r}, expected a positive number, or None for all cores")
        if block is not None and not (isinstance(block, int) and block in BLOCKS):
            raise OptionError(f"block is {block!r}, expected one of {BLOCKS} samples, or None to choose")
        self.circuit = circuit
        self._given: dict[str, Any] = {"threads": threads, "block": block}
        self.threads = threads or (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        self._pipeline = Pipeline(circuit, circuit.encoder, block)
        self.block = self._pipeline.block

    @cached_property
    def _bit_pipeline(self) -> Pipeline:
        """From Boolean inputs; of threads that need it first at the same time each may make one, and any will do."""
        return Pipeline(self.circuit, None, self._given["block"]) if self.circuit.encoder else self._pipeline

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._given), (self.circuit,)

    def __repr__(self) -> str:
        return f"Engine({', '.join(f'{key}={value}' for key, value in self._about().items())})"

    def _repr_html_(self) -> str:
        head = self.circuit.head
        names = {"classes": ", ".join(head.class_names)} if head and head.class_names else {}
        rows = {**self._about(), **names}.items()
        cells = (f"<tr><th>{key}</th><td>{html.escape(str(value))}</td></tr>" for key, value in rows)
        return f"<table><caption>Engine</caption>{''.join(cells)}</table>"

    def _about(self) -> dict[str, object]:
        circuit, encoder, head = self.circuit, self.circuit.encoder, self.circuit.head
        dtype, shape = (encoder.dtype, encoder.shape) if encoder else ("bool", (circuit.n_inputs,))
        gives = f"{circuit.n_outputs:,} outputs"
        if head:
            gives = f"{head.n_classes:,} classes" + (f" at places {list(head.places)}" if head.places else "")
            gives = "a number" if head.number else gives
        takes = f"{dtype} [{', '.join(map(str, ('n', *shape)))}]"
        about = {"gates": f"{circuit.n_gates:,}", "takes": takes, "gives": gives}
        return {**about, "threads": self.threads, "block": self.block}

    def predict(self, x: Any) -> npt.NDArray[Any]:
        """Classes int64 [n], the lowest among those with the greatest count; of a head of numbers, these, float64 [n].

        Args:
            x: One of

                - raw features [n, *encoder.shape] or flattened [n, features], of the encoder's dtype or one that converts
                  to it without loss; an array or anything that offers `__array__` or `__dlpack__`; memory-mapped arrays
                  are read piece by piece; a data frame of pandas or polars, or a table of Arrow, whose columns must be
                  the circuit's features by name and order, where both have names;
                - Boolean inputs as `PackedBits`, the encoder left out;
                - for a circuit without an encoder, Boolean inputs bool [n, n_inputs].

        Raises:
            ShapeError: x has another shape.
            DtypeError: x has a dtype that the encoder's cannot hold.
            DataError: x contains NaN or missing values, or is a table with other columns.
            UnsupportedError: The circuit has no head.
        """
        if self._head().number:
            return self._head().numbers(self.counts(x))
        if self._head().places:
            return np.asarray(self.counts(x).argmax(axis=-1), np.int64)
        return self._numbers(x, kernels.CLASSES, 1).reshape(-1)

    def counts(self, x: Any) -> npt.NDArray[np.int64]:
        """Counts int64 [n, classes], offsets included; arguments and errors as for `predict`."""
        head = self._head()
        return head.by_place(np.ascontiguousarray(self._numbers(x, kernels.COUNTS, head.n_groups).T))

    def scores(self, x: Any) -> npt.NDArray[np.float32]:
        """Scores float32 [n, classes], counts / tau; arguments and errors as for `predict`."""
        if self._head().number:
            raise UnsupportedError("the circuit gives a number, so no class has a score; use predict() or counts()")
        return np.asarray(self.counts(x) / self._head().tau, np.float32)

    def predict_proba(self, x: Any) -> npt.NDArray[np.float32]:
        """Softmax of the scores, float32 [n, classes]; arguments and errors as for `predict`."""
        wide = self.scores(x).astype(np.float64)
        powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)

    def outputs(self, x: Any) -> npt.NDArray[np.bool_]:
        """Outputs of the gates, bool [n, outputs], before any head; arguments and errors as for `predict`."""
        samples = read_samples(self.circuit, x)
        outputs = np.empty((samples.n, self.circuit.n_outputs), np.uint8)
        self._run(samples, kernels.OUTPUTS, outputs)
        return outputs.view(np.bool_)

    def predict_stream(self, arrays: Iterable[Any], result: str = "classes") -> Iterator[npt.NDArray[Any]]:
        """Results for each array of a stream in turn, one array in memory at a time.

        Args:
            arrays: Samples as for `predict`, in parts.
            result: One of `RESULTS`: "classes" (or numbers) as `predict` gives them, "scores", or "probabilities".

        Raises:
            OptionError: `result` is unknown.
            UnsupportedError: The circuit has no head.
            DataError: As for `predict`, when its turn comes; samples are counted over the entire stream.
        """
        runs: dict[str, Callable[[Any], npt.NDArray[Any]]]
        runs = {"classes": self.predict, "scores": self.scores, "probabilities": self.predict_proba}
        if result not in runs:
            raise unknown_name("result", str(result), RESULTS)
        self._head()
        return self._stream(arrays, runs[result])

    def _stream(self, arrays: Iterable[Any], run: Callable[[Any], npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        first = 0
        for x in arrays:
            samples = read_samples(self.circuit, x, first)
            yield run(samples)
            first += samples.n

    def _head(self) -> Head:
        if self.circuit.head is None:
            raise UnsupportedError("the circuit has no head, so there are no classes; use outputs()")
        return self.circuit.head

    def _numbers(self, x: Any, wanted: int, rows: int) -> npt.NDArray[np.int64]:
        """Counts or classes, int64 [rows, n]."""
        samples = read_samples(self.circuit, x)
        numbers = np.empty((rows, samples.n), np.int64)
        self._run(samples, wanted, numbers)
        return numbers

    def _run(self, samples: Samples | PackedSamples, wanted: int, result: npt.NDArray[Any]) -> None:
        pipeline = self._bit_pipeline if samples.packed else self._pipeline
        pipeline.run(wanted, samples, self.threads, result)
