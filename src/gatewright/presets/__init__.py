"""Training configs by name: the models of the paper and gatewright's own. Read through `gatewright.training.load`."""
