"""Harnesses that look for what is not reliable: see docs/reliability.md.

Each module is one harness, and runs alone: `python -m soak.fuzz --seconds 60 --seed 1` (with `tests` on PYTHONPATH).
"""
