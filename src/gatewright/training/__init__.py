"""Training: configs and presets, the loop, and checkpoints."""
