"""The order in which the interpreter runs gates: readers of the same values together, in runs of one op.

A value read a moment ago is in the first-level cache; any other costs a line from the second level, and these lines
bound the engine's speed. So gates of one level are ordered by a walk over their operands: all gates that read one, then
all that read the other operand of the last of them, and so on; nearly every value is fetched once, not once for each
gate that reads it. This mixes ops, while the interpreter wants runs of one op; sorting windows of the walk gives both.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

WINDOW = 128
"""Gates sorted by op at a time: as many as the first-level cache holds with their operands, at 1,024 samples a block."""

_LAST_OP = 3


@numba.njit(cache=True)
def _walk(live: Any, level: Any, left: Any, right: Any, n_nodes: int, size: int, order: Any, window: Any) -> None:
    """Order the gates of each level by shared operands, and number their windows of `size` gates.

    Other arguments are those of `order_gates`. Written are `order`, int64 [live], the same gates in the order of the walk,
    and `window`, int64 [live], the window of each.
    """
    n = len(live)
    # The readers of value v, as positions in `live` and so ascending by level, are reader[pointer[v]:stop[v]].
    stop = np.zeros(n_nodes, np.int64)
    for i in range(n):
        stop[left[live[i]]] += 1
        stop[right[live[i]]] += 1
    total = 0
    for v in range(n_nodes):
        total += stop[v]
        stop[v] = total
    reader, pointer = np.empty(2 * n, np.int64), stop.copy()
    for i in range(n - 1, -1, -1):
        for v in (left[live[i]], right[live[i]]):
            pointer[v] -= 1
            reader[pointer[v]] = i
    done = np.zeros(n, np.bool_)
    stack = np.empty(n + 1, np.int64)
    count, number, last, in_window = 0, -1, -1, 0
    for i in range(n):
        if done[i]:
            continue
        stack[0], top = left[live[i]], 1
        while top:
            top -= 1
            v = stack[top]
            while pointer[v] < stop[v] and level[reader[pointer[v]]] == level[i]:
                at = reader[pointer[v]]
                pointer[v] += 1
                if done[at]:
                    continue
                done[at] = True
                if level[at] != last or in_window == size:
                    number, last, in_window = number + 1, level[at], 0
                order[count], window[count] = live[at], number
                count += 1
                in_window += 1
                stack[top] = right[live[at]] if left[live[at]] == v else left[live[at]]
                top += 1


def order_gates(
    live: npt.NDArray[np.int64],
    level: npt.NDArray[np.int32],
    op: npt.NDArray[np.uint8],
    left: npt.NDArray[np.int32],
    right: npt.NDArray[np.int32],
    n_nodes: int,
) -> npt.NDArray[np.int64]:
    """The live gates in the order to run them.

    Args:
        live: Gates that are needed, ascending by level.
        level: Level of each of them: one more than the greatest of its operands'.
        op: Op (0 to 3) of every gate.
        left: First operand (a node) of every gate.
        right: Second operand of every gate.
        n_nodes: Number of nodes.
    """
    order, window = np.empty(len(live), np.int64), np.empty(len(live), np.int64)
    _walk(live, level, left, right, n_nodes, WINDOW, order, window)
    # Ops up and down in turn, so that the last run of a window and the first of the next are one.
    key = np.where(window % 2 == 0, op[order], _LAST_OP - op[order])
    return order[np.lexsort((key, window))]
