"""Accuracy against cost: presets over seeds, measured end to end, beside what has been published."""
