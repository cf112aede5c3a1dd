"""Training: configs and presets, the loop, checkpoints, results, and benchmarks of it."""
