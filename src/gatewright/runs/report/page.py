"""The report as one web page that needs no network: sections of charts and tables, from `Facts`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from gatewright import __version__
from gatewright.gates import GATE_NAMES, LOGIC
from gatewright.runs.confusion import Confusion
from gatewright.runs.fit import Fit
from gatewright.runs.report.facts import Evaluation, Facts, Training, gates_by_level, neighbours, reads_by_feature
from gatewright.runs.report.picture import address, as_levels, picture
from gatewright.runs.report.svg import Axis, Spot, bars, curves, scatter, stacked, strip
from gatewright.runtime.files import write_text_atomically

COLUMNS = 30
"""Features listed by name, the most read first."""

SHOWN_NUMBERS = 500
"""Samples up to which every predicted number is shown."""

NAMED_CLASSES = 40
"""Classes up to which every cell of the confusion matrix is shown."""

SHOWN_VALUES = 8
"""Features listed of a table's row."""

STEP = Axis("step")
PERCENT = Axis("accuracy, %")


def write_report(facts: Facts, path: Path) -> Path:
    """Write the page in one step; returns its path.

    Raises:
        OptionError: The path is a folder.
    """
    write_text_atomically(path, page(facts))
    return path


def page(facts: Facts) -> str:
    """The page's HTML."""
    title = f"{facts.title}: report"
    style = (resources.files(__name__.rpartition(".")[0]) / "page.css").read_text(encoding="utf-8")
    sections = "".join(_section(name, body) for name, body in _sections(facts) if body)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(facts.title)}</h1>\n{_headline(facts)}</header>\n<main>\n{sections}</main>\n"
        f'<footer><p class="note">Written by gatewright {__version__}. {escape(" ".join(map(_sentence, facts.missing)))}'
        "</p></footer>\n</body>\n</html>\n"
    )


def _sections(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.training is not None:
        numbers = facts.training.result.figure == "R^2"
        yield "Fit while learning" if numbers else "Accuracy while learning", _accuracy(facts.training)
        yield "Loss", _loss(facts.training)
        yield "Entropy of the layers", _entropy(facts.training)
        yield "Connections and freezing", _connections(facts.training)
    yield "Cost", _cost(facts)
    yield "Place on the front", _front(facts)
    yield "Proof and checks", _pairs(facts.checks.items())
    if facts.evaluation is not None:
        yield from _judged(facts.evaluation)
    yield "Inputs that are read", _inputs(facts)
    yield "Gates by kind and level", _gates(facts)
    yield "Origin", _origin(facts)


def _judged(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    if isinstance(evaluation.judged, Fit):
        yield "Numbers", _numbers(evaluation.judged)
        yield "Largest errors", _mistakes(evaluation)
        return
    yield "Classes", _classes(evaluation.judged, evaluation.dataset.class_names)
    yield "Confusion", _confusion(evaluation.judged, evaluation.dataset.class_names)
    yield "Worst mistakes", _mistakes(evaluation)


def _section(name: str, body: str) -> str:
    place = name.lower().replace(" ", "-")
    title = f'<h2 id="{place}-title">{name}</h2>'
    return f'<section id="{place}" aria-labelledby="{place}-title">\n{title}\n{body}\n</section>\n'


def _headline(facts: Facts) -> str:
    figures = []
    if facts.evaluation is not None:
        judged, split = facts.evaluation.judged, facts.evaluation.split
        if isinstance(judged, Fit):
            figures.append((f"{judged.r2:.4f}", f"{split} R^2"))
            figures.append((f"{judged.rmse:.4g}", "root mean squared error"))
        else:
            figures.append((f"{100 * judged.accuracy:.2f} %", f"{split} accuracy"))
            if facts.evaluation.dataset.label_shape:
                figures.append((f"{100 * judged.mean_iou:.2f} %", "mean IoU"))
    figures += [
        (f"{facts.cost.logic_ops:,}", "logic ops"),
        (f"{facts.cost.total_ops:,}", "total ops, encoder and head included"),
        (f"{facts.cost.depth:,}", "level of gates" if facts.cost.depth == 1 else "levels of gates"),
    ]
    items = "".join(f"<li><b>{value}</b> {name}</li>" for value, name in figures)
    return f'<ul class="figures">{items}</ul>\n'


def _accuracy(training: Training) -> str:
    at = [(line["step"], line["validation"]) for line in training.lines if "validation" in line]
    if not at:
        return ""
    numbers = training.result.figure == "R^2"
    unit, axis = (1, Axis("share of the variance explained")) if numbers else (100, PERCENT)
    series = {
        "discretized (what the circuit does)": [(step, unit * accuracy["hard"]) for step, accuracy in at],
        "relaxed": [(step, unit * accuracy["soft"]) for step, accuracy in at],
    }
    kept = f"Validation split. The weights kept are those of step {training.result.best_step:,} (line)."
    if numbers:
        kept += " Base and scale of the final line are fitted afterwards; the variance is that of the training part."
    title = "Validation fit" if numbers else "Validation accuracy"
    return curves(title, series, STEP, axis, [training.result.best_step]) + _note(kept)


def _loss(training: Training) -> str:
    points = [(line["step"], line["loss"]) for line in training.lines if "loss" in line]
    axis = Axis("squared error" if training.result.figure == "R^2" else "cross-entropy", log=True)
    if sum(axis.holds(value) for _, value in points) < 2:
        return ""
    return curves("Training loss", {"loss": points}, STEP, axis)


def _entropy(training: Training) -> str:
    lines = [line for line in training.lines if line.get("entropy")]
    if not lines:
        return ""
    layers = len(lines[0]["entropy"])
    series = {_layer(i): [(line["step"], line["entropy"][i]) for line in lines] for i in range(layers)}
    frozen = [step for step in _frozen(training) if step is not None]
    note = "Mean normalised entropy of the neurons' choices: 1 undecided, 0 decided."
    if frozen:
        note += " Lines: a layer was frozen."
    return curves("Entropy by layer", series, STEP, Axis("entropy"), frozen) + _note(note)


def _connections(training: Training) -> str:
    lines = [line for line in training.lines if line.get("connections")]
    parts = []
    for key in lines[-1]["connections"] if lines else ():
        if key == "entropy":  # shown above, measured alike for every kind of connection learning
            continue
        layers = len(lines[-1]["connections"][key])
        series = {_layer(i): [(line["step"], line["connections"][key][i]) for line in lines] for i in range(layers)}
        name = {"proposed": "candidates replaced so far"}.get(key, key.replace("_", " ") + " so far")
        parts.append(curves(name, series, STEP, Axis(name)))
    frozen = _frozen(training)
    if frozen:
        steps = [[_layer(i), "not frozen" if step is None else f"{step:,}"] for i, step in enumerate(frozen)]
        parts.append(_table(["layer", "frozen at step"], steps))
    return "".join(parts)


def _layer(i: int) -> str:
    return f"layer {i + 1}"


def _frozen(training: Training) -> list[int | None]:
    found: list[int | None] = []
    for line in training.lines:
        found = line.get("discretization", {}).get("frozen_at", found)
    return found


def _cost(facts: Facts) -> str:
    cost = facts.cost
    shares = {"encoder": cost.encoder_ops, "logic": cost.logic_ops, "head": cost.head_ops}
    whole = max(1, cost.total_ops)
    named = {f"{name}: {ops:,} ({100 * ops / whole:.0f} %)": float(max(0, ops)) for name, ops in shares.items()}
    rows = [
        ("total ops", f"{cost.total_ops:,} two-input gates"),
        ("levels of everything", f"{cost.total_depth:,}"),
        ("comparators", f"{cost.n_inputs_used:,}"),
        ("bits that the head counts", f"{cost.outputs:,}"),
        *((name, f"{number:,}") for name, number in facts.currencies.items()),
    ]
    return stacked("Total ops by part", named) + _pairs(rows)


def _front(facts: Facts) -> str:
    if facts.evaluation is None or isinstance(judged := facts.evaluation.judged, Fit):
        return ""
    own, others = neighbours(facts.data)
    others = [row for row in others if row.gates is not None]
    mine, methods = 100 * judged.accuracy, list(dict.fromkeys(row.method for row in others))
    charts = []
    for key, title in (("logic_ops", "logic ops"), ("total_ops", "total ops")):
        spots = [Spot(getattr(facts.cost, key), mine, facts.title, 0, large=True)]
        spots += [Spot(getattr(row, key), 100 * row.accuracy, row.name, 1) for row in own]
        names = ["this circuit", *(["the zoo"] if own else [])]
        if key == "logic_ops":
            spots += [Spot(row.gates or 0, row.accuracy, row.method, 2 + methods.index(row.method)) for row in others]
            names = ["this circuit", "the zoo", *methods] if methods else names
        charts.append(scatter(f"Accuracy over {title}", spots, names, Axis(title, log=True), PERCENT))
    note = "The zoo: means over seeds. Published rows count gates as each paper does, and none states total ops."
    return f'<div class="pair">{"".join(f"<div>{chart}</div>" for chart in charts)}</div>' + _note(note)


def _numbers(fit: Fit) -> str:
    shown = np.linspace(0, len(fit.truth) - 1, min(len(fit.truth), SHOWN_NUMBERS)).astype(int)
    spots = [Spot(float(fit.truth[i]), float(fit.predicted[i]), f"sample {i}", 0) for i in shown]
    chart = scatter("Predicted over true numbers", spots, ["a sample"], Axis("true"), Axis("predicted"))
    note = f"{len(shown):,} of {len(fit.truth):,} samples, evenly chosen. Mean absolute error: {fit.mae:.4g}."
    return chart + _note(note)


def _classes(confusion: Confusion, names: Sequence[str]) -> str:
    by_class = confusion.by_class(names)
    rows = [
        [name, f"{c['samples']:,}", *(_share(c[figure]) for figure in ("sensitivity", "precision", "f1"))]
        for name, c in by_class.items()
    ]
    return _table(["class", "samples", "sensitivity", "precision", "F1"], rows)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _confusion(confusion: Confusion, names: Sequence[str]) -> str:
    counts = confusion.counts
    if len(names) > NAMED_CLASSES:
        levels = as_levels(np.log1p(counts), 0, float(np.log1p(counts.max(initial=1))))
        return f'<img class="sharp" alt="Confusion matrix" src="{address(levels)}">'
    most = np.maximum(1, counts.sum(axis=1, keepdims=True))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{escape(names[i])}</th>'
        + "".join(
            f'<td class="{"right" if i == j else "wrong"}" style="--share:{counts[i, j] / most[i, 0]:.3f}">'
            f"{f'{counts[i, j]:,}' if counts[i, j] else ''}</td>"
            for j in range(len(names))
        )
        + "</tr>"
        for i in range(len(names))
    )
    table = f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll">{table}</div>' + _note("Rows: the true class. Columns: the class decided for.")


def _mistakes(evaluation: Evaluation) -> str:
    if not evaluation.wrong:
        return _note(f"None on the {evaluation.split} split.")
    figures = []
    for mistake in evaluation.mistakes:
        caption = f"<figcaption>{escape(mistake.caption)}</figcaption>"
        figures.append(f"<figure>{_sample(evaluation, mistake.sample, mistake.number)}{caption}</figure>")
    kinds = ("wrongly decided samples", "the clearest first")
    if isinstance(evaluation.judged, Fit):
        kinds = ("samples with an error", "the largest first")
    note = f"{len(figures):,} of {evaluation.wrong:,} {kinds[0]} of the {evaluation.split} split, {kinds[1]}."
    return f'<div class="samples {evaluation.kind}">{"".join(figures)}</div>' + _note(note)


def _sample(evaluation: Evaluation, sample: Any, number: int) -> str:
    title = f"sample {number}"
    if evaluation.kind == "image" and sample.ndim == 3 and len(sample) in {1, 3}:
        return f'<img class="sharp" alt="{title}" title="{title}" src="{picture(sample, *evaluation.limits)}">'
    if evaluation.kind == "signal":
        return strip(title, sample.reshape(-1, sample.shape[-1]).astype(float).tolist())
    names = evaluation.dataset.feature_names or [f"feature {i}" for i in range(sample.size)]
    told = [(name, value) for name, value in zip(names, sample.ravel().tolist(), strict=True) if value]
    more = len(told) - SHOWN_VALUES
    text = ", ".join(f"{name}: {value:g}" for name, value in told[:SHOWN_VALUES]) + (
        f", {more} more" if more > 0 else ""
    )
    return f'<p title="{title}">{escape(text)}</p>'


def _inputs(facts: Facts) -> str:
    reads = reads_by_feature(facts.circuit)
    unread = int(np.count_nonzero(reads == 0))
    note = f"{len(reads) - unread:,} of {len(reads):,} features are read, {int(reads.sum()):,} times in all."
    encoder = facts.circuit.encoder
    shape, most = encoder.shape if encoder else (len(reads),), float(reads.max(initial=1))
    kind = facts.evaluation.kind if facts.evaluation else ""
    if len(shape) == 3 and kind != "signal":
        images = "".join(
            f'<img class="sharp map" alt="Reads of channel {c}" src="{address(as_levels(plane, 0, most))}">'
            for c, plane in enumerate(reads.reshape(shape))
        )
        return f'<div class="maps">{images}</div>' + _note(f"{note} White: a pixel read {most:.0f} times.")
    if kind == "signal":
        rows = reads.reshape(-1, shape[-1])
        return "".join(bars(f"Reads of row {i}", row.astype(float).tolist()) for i, row in enumerate(rows)) + _note(
            note
        )
    names = (encoder.feature_names if encoder else ()) or [f"feature {i}" for i in range(len(reads))]
    order = [int(i) for i in np.argsort(-reads, kind="stable")[:COLUMNS] if reads[i]]
    rows_of = "".join(
        f'<li><span>{escape(names[i])}</span><span class="track"><span style="width:{100 * reads[i] / most:.1f}%"></span>'
        f"</span><span>{reads[i]:,}</span></li>"
        for i in order
    )
    return f'<ul class="reads">{rows_of}</ul>' + _note(note)


def _gates(facts: Facts) -> str:
    levels = gates_by_level(facts.circuit)
    kinds = [GATE_NAMES[gate] for gate in LOGIC if any(GATE_NAMES[gate] in found for found in levels.values())]
    if not kinds:
        return _note("There is no gate: outputs are inputs, inverters or constants.")
    most = max(number for found in levels.values() for number in found.values())
    head = "".join(f'<th scope="col">{kind}</th>' for kind in (*kinds, "all"))
    rows = "".join(
        f'<tr><th scope="row">level {level}</th>'
        + "".join(
            f'<td class="amount" style="--share:{found.get(kind, 0) / most:.3f}">'
            f"{f'{found[kind]:,}' if kind in found else ''}</td>"
            for kind in kinds
        )
        + f"<td>{sum(found.values()):,}</td></tr>"
        for level, found in sorted(levels.items())
    )
    table = f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>'
    note = "Of the simplified circuit; level 1 reads only inputs. Wires, inverters and constants are no logic."
    return f'<div class="scroll">{table}</div>' + _note(note)


def _origin(facts: Facts) -> str:
    rows = dict(sorted(facts.circuit.metadata.items()))
    if facts.evaluation is not None:
        dataset = facts.evaluation.dataset
        rows |= {"data": dataset.name, "source of the data": dataset.source, "licence of the data": dataset.licence}
    text = _pairs(rows.items())
    if facts.training is not None:
        result = facts.training.result
        machine = ", ".join(f"{key} {value}" for key, value in result.machine.items())
        versions = ", ".join(f"{key} {value}" for key, value in result.versions.items())
        text += _pairs([("training", f"{result.seconds:,.1f} s"), ("machine", machine), ("versions", versions)])
        text += f"<details><summary>All options</summary><pre>{escape(facts.training.options)}</pre></details>"
    return text


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows) + "</dl>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
