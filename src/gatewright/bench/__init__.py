"""How fast training is on this machine: steps, whole presets, and the roofline of their kernels."""
