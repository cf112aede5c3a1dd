"""A web page that runs the circuit: one file without network access, equal to the other exports, ties included.

The parts of the page lie beside this file, which joins them with a circuit: `circuit.js` computes, `drawing.js` makes
numbers of drawings, `inputs.js` takes samples, `inside.js` and `page.js` show what the circuit does with them.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.circuit.cost import Cost, cost
from gatewright.circuit.evaluate import encode
from gatewright.circuit.packed import check_booleans
from gatewright.circuit.simplify import simplify
from gatewright.errors import OptionError, UnsupportedError, shown
from gatewright.formats.gate_level import refuse_places
from gatewright.formats.html.known import NOTED, Known, between, binary_features, fields_of, fields_of_columns, known
from gatewright.formats.names import check_name
from gatewright.runtime.files import write_files

LARGEST_PAD = 32
"""Largest height and width of an image to draw; the values of larger ones are pasted."""

LONGEST_FORM = 200
"""Largest number of features with a field each; more are pasted."""

SCRIPTS = ("circuit", "drawing", "page", "inside", "inputs", "start")
"""Scripts of the page, in order."""


def to_html(
    circuit: Circuit,
    directory: str | Path,
    *,
    name: str = "model",
    title: str = "",
    white: float | None = None,
    data: str = NOTED,
    samples: npt.NDArray[Any] | None = None,
    labels: Sequence[str] = (),
) -> list[Path]:
    """Write a circuit as a self-contained web page.

    Grey or colour images of up to 32 x 32 pixels are drawn on a pad (or read from a picture), scaled and moved as the
    images of the data set are; signals are drawn as a line, up to 200 features are fields of a form, anything else is
    pasted as numbers. The page shows class, probabilities and counts, or the number, the gates at work, what spoke for
    the class, the microseconds of an evaluation, and accuracy, cost and licence.

    Args:
        circuit: Any circuit whose head decides once per sample.
        directory: Where to write `NAME.html`.
        name: Name of the file.
        title: Title of the page; by default the circuit's name, or else `name`.
        white: Value of a fully drawn pixel; by default the sum of the least and the greatest threshold (right for
            thresholds spread evenly over the range 0 to white), at most the type's maximum, and 1 for bool.
        data: Data set that samples, typical values and the licence are taken from. "noted": the one noted in the
            circuit, its samples only if it is at hand; "none": none; a name: that one, fetched if it is missing.
        samples: Samples to choose from on the page: raw features [n, *shape], or bool [n, n_inputs] without encoder; by
            default up to two of each class, the first ones of the test split.
            `NAME.html#sample=I` opens with sample I, from 0.
        labels: Texts of the buttons of `samples`; by default their numbers.

    Returns:
        The file written.

    Raises:
        OptionError: `name` is not an identifier, `white` is not positive, `data` is unknown, or labels and samples differ
            in number.
        ShapeError: `samples` or `data` do not fit (also DtypeError, DataError).
        UnsupportedError: Counts are too large for the numbers of JavaScript, or the head decides at several places.
    """
    check_name(name)
    if white is not None and not (type(white) in {int, float} and np.isfinite(white) and white > 0):
        raise OptionError(f"white is {white!r}, expected the positive value of a fully drawn pixel")
    refuse_places(circuit, "a web page")
    small = simplify(circuit)
    if small.head is not None and max(abs(int(o)) for o in small.head.offset) + small.n_outputs >= 1 << 53:
        raise UnsupportedError("the head's counts do not fit the numbers of JavaScript, exact below 2^53")
    of_data = known(circuit, data)
    if samples is None and not labels:
        samples, labels, samples_title = of_data.samples, of_data.labels, "Samples of the test data, by class"
    else:
        samples_title = "Samples"
    listed = _samples(circuit, samples)
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise OptionError(f"labels are {shown(labels)}, expected a list of texts")
    if labels and len(labels) != len(listed):
        raise OptionError(f"there are {len(labels)} labels for {len(listed)} samples")
    view = {**_view(small, white, of_data), "labels": list(labels), "samplesTitle": samples_title}
    model = {**_model(small), "samples": listed, "typical": _typical(small, of_data), "view": view}
    text = _page(small, title or circuit.metadata.get("name") or name, model, of_data)
    return write_files(directory, {f"{name}.html": text})


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
        "head": head
        and {"group": _packed(head.group), "offset": head.offset.tolist(), "tau": head.tau, "number": head.number},
    }


def _typical(circuit: Circuit, of_data: Known) -> list[float] | None:
    """The sample that a form opens with."""
    if circuit.encoder is None or _kind(circuit, of_data) != "form":
        return None
    values = between(circuit.encoder) if of_data.typical is None else of_data.typical
    return _samples(circuit, values[None])[0]


def _view(circuit: Circuit, white: float | None, of_data: Known) -> dict[str, Any]:
    """How the page takes samples, and the names that it shows."""
    encoder, head = circuit.encoder, circuit.head
    view: dict[str, Any] = {"kind": _kind(circuit, of_data)}
    if encoder is not None and view["kind"] == "pad":
        view["white"] = white or _white(encoder)
        view["pen"] = max(1.4, encoder.shape[2] / 12)
        view["frame"] = of_data.frame and asdict(of_data.frame)
    if view["kind"] == "form":
        n = encoder.n_features if encoder else circuit.n_inputs
        names = encoder.feature_names if encoder else ()
        view["features"] = list(names) or [f"{'feature' if encoder else 'input'} {i}" for i in range(n)]
        binary = binary_features(encoder) if encoder else np.ones(n, np.bool_)
        columns = encoder.columns if encoder else ()
        view["fields"] = fields_of_columns(columns) or [
            {"column": column, "indices": indices} for column, indices in fields_of(view["features"], binary)
        ]
        view["flags"] = [i for i, kind in enumerate(encoder.types) if kind == "bool"] if encoder else []
    if head is not None:
        view["classes"] = list(head.class_names) or [str(k) for k in range(head.n_classes)]
        if head.number:
            view["classes"] = ["count"]
        sizes = np.bincount(head.group, minlength=head.n_classes)
        view["most"] = [int(o) + int(n) for o, n in zip(head.offset, sizes, strict=True)]
    return view


def _kind(circuit: Circuit, of_data: Known) -> str:
    shape = circuit.encoder.shape if circuit.encoder else (circuit.n_inputs,)
    if of_data.kind == "signal":
        return "strip"
    if len(shape) == 3 and shape[0] in {1, 3} and max(shape[1:]) <= LARGEST_PAD:
        return "pad"
    return "form" if int(np.prod(shape)) <= LONGEST_FORM else "list"


def _white(encoder: Encoder) -> float:
    """The value of a fully drawn pixel where thresholds are spread evenly between it and 0."""
    top = min(float(encoder.highest.max()), float(np.finfo(np.float32).max))
    total = float(encoder.threshold.min() + encoder.threshold.max()) if encoder.n_bits else 0.0
    return min(total, top) if total > 0 else min(top, 255.0)


def _page(circuit: Circuit, title: str, model: dict[str, Any], of_data: Known) -> str:
    figures = cost(circuit)
    folder = resources.files(__name__)

    def part(file: str) -> str:
        return (folder / file).read_text(encoding="utf-8")

    # A `<` in the JSON could end the script that it stands in.
    text = json.dumps(model, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    about = _about(circuit.metadata, figures, of_data)
    parts = {
        "TITLE": html.escape(title),
        "STYLE": part("style.css"),
        "SIZE": html.escape(_headline(circuit, figures)),
        "ABOUT": "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>\n" for k, v in about.items()),
        "SCRIPTS": "".join(f'<script id="{each}">\n{part(f"{each}.js")}</script>\n' for each in SCRIPTS),
        "MODEL": text,
    }
    pieces = part("page.html").split("@")  # names stand at odd places; inserted texts are not split again
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _headline(circuit: Circuit, figures: Cost) -> str:
    accuracy, fit = _accuracy(circuit.metadata), circuit.metadata.get("test_r2", "")
    return "".join(
        [
            f"{accuracy} of the test data right; " if accuracy else "",
            f"R^2 {fit} on the test data; " if fit else "",
            f"{figures.logic_ops:,} gates, {figures.total_ops:,} with encoder and head; ",
            f"{circuit.n_inputs:,} Boolean inputs, {circuit.n_outputs:,} outputs, depth {figures.depth:,}",
        ]
    )


def _accuracy(notes: Mapping[str, str]) -> str:
    """The test accuracy that a circuit notes; empty if it notes none."""
    try:
        return f"{100 * float(notes['test_accuracy']):.2f} %"
    except (KeyError, ValueError):
        return ""


def _about(notes: Mapping[str, str], figures: Cost, of_data: Known) -> dict[str, str]:
    """Rows on accuracy, cost, data, and all else that the circuit notes."""
    accuracy = _accuracy(notes)
    said = {*(["test_accuracy"] if accuracy else []), *of_data.about}
    return {
        **({"test accuracy": accuracy} if accuracy else {}),
        "logic ops": f"{figures.logic_ops:,}",
        "total ops": f"{figures.total_ops:,}: encoder {figures.encoder_ops:,}, logic {figures.logic_ops:,}, "
        f"head {figures.head_ops:,}",
        **of_data.about,
        **{name: text for name, text in sorted(notes.items()) if name not in said},
    }
