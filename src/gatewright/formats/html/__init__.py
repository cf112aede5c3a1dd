"""A web page that runs the circuit: one file without network access, equal to the other exports, ties included.

The parts of the page lie beside this file, which joins them with a circuit: `circuit.js` computes, `page.js` shows.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.circuit.evaluate import encode
from gatewright.circuit.levels import logic_levels
from gatewright.circuit.packed import check_booleans
from gatewright.circuit.simplify import simplify
from gatewright.errors import OptionError, UnsupportedError
from gatewright.formats.gate_level import refuse_places
from gatewright.formats.names import check_name
from gatewright.gates import IS_LOGIC
from gatewright.runtime.files import write_files

LARGEST_PAD = 32
"""Largest height and width of an image to draw; the values of larger ones are pasted."""

LONGEST_FORM = 200
"""Largest number of features with a field each; more are pasted."""


def to_html(
    circuit: Circuit,
    directory: str | Path,
    *,
    name: str = "model",
    title: str = "",
    white: float | None = None,
    samples: npt.NDArray[Any] | None = None,
    labels: Sequence[str] = (),
) -> list[Path]:
    """Write a circuit as a self-contained web page.

    Grey or colour images of up to 32 x 32 pixels are drawn on a pad (or read from a picture), up to 200 features are
    fields of a form, anything else is pasted as numbers. The page shows class, counts, and microseconds per evaluation.

    Args:
        circuit: Any circuit.
        directory: Where to write `NAME.html`.
        name: Name of the file.
        title: Title of the page; by default `name`.
        white: Value of a fully drawn pixel; by default the sum of the least and the greatest threshold (right for
            thresholds spread evenly over the range 0 to white), at most the type's maximum, and 1 for bool.
        samples: Samples to choose from on the page: raw features [n, *shape], or bool [n, n_inputs] without encoder.
            `NAME.html#sample=I` opens with sample I, from 0.
        labels: Texts of the samples' buttons; by default their numbers.

    Returns:
        The file written.

    Raises:
        OptionError: `name` is not an identifier, `white` is not positive, or labels and samples differ in number.
        ShapeError: `samples` do not fit (also DtypeError, DataError).
        UnsupportedError: Counts are too large for the numbers of JavaScript.
    """
    check_name(name)
    if white is not None and not (np.isfinite(white) and white > 0):
        raise OptionError(f"white is {white!r}, expected the positive value of a fully drawn pixel")
    refuse_places(circuit, "a web page")
    small = simplify(circuit)
    if small.head is not None and max(abs(int(o)) for o in small.head.offset) + small.n_outputs >= 1 << 53:
        raise UnsupportedError("the head's counts do not fit the numbers of JavaScript, exact below 2^53")
    listed = _samples(circuit, samples)
    if labels and len(labels) != len(listed):
        raise OptionError(f"there are {len(labels)} labels for {len(listed)} samples")
    model = {**_model(small), "samples": listed, "view": {**_view(small, white), "labels": list(labels)}}
    return write_files(directory, {f"{name}.html": _page(small, title or name, model)})


def _samples(circuit: Circuit, samples: npt.NDArray[Any] | None) -> list[list[float]]:
    if samples is None:
        return []
    if circuit.encoder is not None:
        encode(circuit, samples)  # refuses samples that do not fit
        given = circuit.encoder.samples(samples)
        numbers = given.reshape(len(given), -1).astype(circuit.encoder.dtype)
    else:
        numbers = check_booleans(np.asarray(samples), circuit.n_inputs)
    if not np.isfinite(numbers).all():
        raise UnsupportedError("samples contain infinity, which a page cannot show")
    listed: list[list[float]] = (numbers.astype(np.uint8) if numbers.dtype == np.bool_ else numbers).tolist()
    return listed


def _packed(values: npt.NDArray[Any], dtype: str | None = None) -> dict[str, str]:
    """An array as base64 of little-endian numbers of the narrowest type that holds it."""
    kind = dtype or np.min_scalar_type(int(values.max(initial=0))).name
    data = values.astype(np.dtype(kind).newbyteorder("<")).tobytes()
    return {"type": kind, "base64": base64.b64encode(data).decode()}


def _model(circuit: Circuit) -> dict[str, Any]:
    """The circuit as `circuit.js` takes it."""
    encoder, head = circuit.encoder, circuit.head
    return {
        "inputs": circuit.n_inputs,
        **{name: _packed(getattr(circuit, name)) for name in ("gate", "a", "b", "outputs")},
        "encoder": encoder
        and {
            "feature": _packed(encoder.feature),
            "threshold": _packed(encoder.threshold, "float64"),
            "shape": encoder.shape,
            "dtype": encoder.dtype,
        },
        "head": head and {"group": _packed(head.group), "offset": head.offset.tolist()},
    }


def _view(circuit: Circuit, white: float | None) -> dict[str, Any]:
    """How the page takes samples, and the names that it shows."""
    encoder, head = circuit.encoder, circuit.head
    view: dict[str, Any] = {"kind": _kind(circuit)}
    if encoder is not None and view["kind"] == "pad":
        view["white"] = white or _white(encoder)
    if view["kind"] == "form":
        n = encoder.n_features if encoder else circuit.n_inputs
        names = encoder.feature_names if encoder else ()
        view["features"] = list(names) or [f"{'feature' if encoder else 'input'} {i}" for i in range(n)]
    if head is not None:
        view["classes"] = list(head.class_names) or [str(k) for k in range(head.n_classes)]
        sizes = np.bincount(head.group, minlength=head.n_classes)
        view["most"] = [int(o) + int(n) for o, n in zip(head.offset, sizes, strict=True)]
    return view


def _kind(circuit: Circuit) -> str:
    shape = circuit.encoder.shape if circuit.encoder else (circuit.n_inputs,)
    if len(shape) == 3 and shape[0] in {1, 3} and max(shape[1:]) <= LARGEST_PAD:
        return "pad"
    return "form" if int(np.prod(shape)) <= LONGEST_FORM else "list"


def _white(encoder: Encoder) -> float:
    """The value of a fully drawn pixel where thresholds are spread evenly between it and 0."""
    top = min(float(encoder.highest.max()), float(np.finfo(np.float32).max))
    total = float(encoder.threshold.min() + encoder.threshold.max()) if encoder.n_bits else 0.0
    return min(total, top) if total > 0 else min(top, 255.0)


def _page(circuit: Circuit, title: str, model: dict[str, Any]) -> str:
    logic_ops = int(np.count_nonzero(IS_LOGIC[circuit.gate]))
    depth = int(logic_levels(circuit)[circuit.outputs].max(initial=0))
    size = f"{logic_ops:,} gates, {circuit.n_inputs:,} Boolean inputs, {circuit.n_outputs:,} outputs, depth {depth:,}"
    about = "".join(
        f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>\n" for k, v in sorted(circuit.metadata.items())
    )
    folder = resources.files(__name__)
    # A `<` in the JSON could end the script that it stands in.
    text = json.dumps(model, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    page = (folder / "page.html").read_text(encoding="utf-8")
    parts = {
        "TITLE": html.escape(title),
        "STYLE": (folder / "style.css").read_text(encoding="utf-8"),
        "SIZE": size,
        "ABOUT": about or "<dt>nothing</dt><dd>is noted in the circuit</dd>\n",
        "CIRCUIT": (folder / "circuit.js").read_text(encoding="utf-8"),
        "PAGE": (folder / "page.js").read_text(encoding="utf-8"),
        "MODEL": text,
    }
    pieces = page.split("@")  # names stand at odd places; inserted texts are not split again
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))
