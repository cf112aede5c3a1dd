"""gatewright: learn compact Boolean networks, prove them, run them anywhere."""

__version__ = "0.1.0"
