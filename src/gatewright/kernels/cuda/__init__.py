"""The kernels of `reference.py` on NVIDIA GPUs.

They are written in Triton, which comes with torch's CUDA builds and needs no CUDA toolkit. Imported at the first use
only (see `ops.py`). With `TRITON_INTERPRET=1` set before that, the same kernels run on CPU tensors, statement by
statement: slow, but the very code, for tests.
"""

from gatewright.errors import require_extra

require_extra("triton", "gpu")

from gatewright.kernels.cuda.bits import group_count, hard_forward, pack, threshold, unpack  # noqa: E402
from gatewright.kernels.cuda.hard import hard_input_grad, hard_sums  # noqa: E402
from gatewright.kernels.cuda.mixing import best, logits_grad, mixture  # noqa: E402
from gatewright.kernels.cuda.soft import soft_backward, soft_forward  # noqa: E402

__all__ = [
    "best",
    "group_count",
    "hard_forward",
    "hard_input_grad",
    "hard_sums",
    "logits_grad",
    "mixture",
    "pack",
    "soft_backward",
    "soft_forward",
    "threshold",
    "unpack",
]
