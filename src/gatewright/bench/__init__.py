"""How fast training is on this machine: steps, full presets, and the roofline of their kernels."""
