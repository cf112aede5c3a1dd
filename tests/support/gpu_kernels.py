"""Kernels that torch_dwn 1.1.1 and CompactLogic (commit 019677a) have for GPUs alone, in torch, as their sources say."""

import torch


def state_torch_dwn(library, replace):
    """Give the library its kernel; `replace(object, name, value)` sets an attribute."""

    def forward(x, mapping, luts, _alpha, _beta):
        """`efd_cuda_forward_kernel`: input l of a table is bit l of the entry's number."""
        address = ((x[:, mapping.long()] > 0) << torch.arange(mapping.shape[1])).sum(-1)
        return torch.stack([luts[j, address[:, j]] for j in range(len(luts))], 1)

    replace(library.lut_layer.EFDFunction, "apply", forward)


def state_compactlogic(library, replace):
    """Give the library its kernels; `replace(object, name, value)` sets an attribute."""

    def gate(ids, a, b):
        return (ids.long() >> (3 - 2 * a - b).long() & 1).float()

    def dense(x, a, b, w, gate_seq):
        """`logic_layer_cuda_eval_kernel`."""
        rows, slot = torch.arange(len(w)), w.long()
        return gate(gate_seq[rows, slot][:, None], x[a[rows, slot]], x[b[rows, slot]])

    def conv(x, channel, dy, dx, w, gate_seq, stride, pad, size):
        """`conv_layer_cuda_forward_eval_kernel`: what lies outside of the image is 0."""
        height, width = ((side + 2 * pad - size) // stride + 1 for side in x.shape[2:])
        y = torch.zeros(len(x), len(w), height, width)
        for k, slot in enumerate(w.tolist()):
            for row in range(height):
                for column in range(width):
                    values = []
                    for side in (0, 1):
                        at = row * stride + int(dy[side, k, slot]), column * stride + int(dx[side, k, slot])
                        inside = 0 <= at[0] < x.shape[2] and 0 <= at[1] < x.shape[3]
                        values.append(x[:, int(channel[side, k, slot]), *at] if inside else torch.zeros(len(x)))
                    y[:, k, row, column] = gate(gate_seq[k, slot], *values)
        return y

    replace(library.difflogic_cuda, "eval", dense)
    replace(library.convlogic_cuda, "eval", conv)
