"""Accuracy against cost: presets over seeds, measured end to end, beside what has been published."""

from __future__ import annotations

from gatewright.pareto.entry import Entry, Results, Row
from gatewright.pareto.published import Published, published
from gatewright.pareto.sweep import Job, jobs, measure
from gatewright.pareto.table import table

__all__ = ["Entry", "Job", "Published", "Results", "Row", "jobs", "measure", "published", "table"]
