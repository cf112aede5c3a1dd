"""Types of raw features."""

FEATURE_DTYPES = ("bool", "uint8", "int16", "int32", "float32")
