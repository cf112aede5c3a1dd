"""Writes the state dicts of tests/data_files/foreign, by a Python that has the libraries that they are of.

Usage: python tests/foreign/make_files.py tests/data_files/foreign
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

folder = Path(sys.argv[1])
torch.manual_seed(0)
x = torch.from_numpy(np.random.default_rng(0).random((100, 12)) < 0.5).float()


def save(name, model, state=None):
    torch.save(model.state_dict() if state is None else state, folder / f"{name}.pt")
    with torch.no_grad():
        return np.asarray(model.eval()(x))


def difflogic(scores):
    import difflogic as library

    layers = [library.LogicLayer(a, b, device="cpu", implementation="python") for a, b in ((12, 24), (24, 18))]
    model = nn.Sequential(*layers, library.GroupSum(3, tau=2.0))
    save("difflogic-without-wiring", model)
    wiring = {
        f"{name}.indices": torch.stack(layer.indices)
        for name, layer in model.named_modules()
        if hasattr(layer, "indices")
    }
    scores["difflogic"] = save("difflogic", model, {**model.state_dict(), **wiring})


def torchlogix(scores):
    from torchlogix import layers as library

    random = {"parametrization_kwargs": {"weight_init": "random"}}
    for name, options in (
        ("torchlogix", {}),
        ("torchlogix-learned", {"connections": "learnable", "connections_kwargs": {"num_candidates": 3}}),
    ):
        layers = [library.LogicDense(a, b, **random, **options) for a, b in ((12, 24), (24, 18))]
        scores[name] = save(name, nn.Sequential(*layers, library.GroupSum(3, tau=2.0)))
    save("torchlogix-warp", nn.Sequential(library.LogicDense(12, 24, parametrization="warp", **random)))


def torch_dwn(scores):
    import torch_dwn as library

    def forward(_ctx, x, mapping, luts, _alpha, _beta):  # the kernel for GPUs, as its source defines it
        address = ((x[:, mapping.long()] > 0) << torch.arange(mapping.shape[1])).sum(-1)
        return torch.stack([luts[j, address[:, j]] for j in range(len(luts))], 1)

    library.lut_layer.EFDFunction.apply = lambda *args: forward(None, *args)
    for name, mapping in (("torch_dwn", "random"), ("torch_dwn-learned", "learnable")):
        layers = [library.LUTLayer(12, 16, 4, mapping=mapping), library.LUTLayer(16, 12, 3)]
        scores[name] = save(name, nn.Sequential(*layers, library.GroupSum(3, tau=2.0)))


def compactlogic(scores):
    from compactlogic import compactlogic as library

    def dense(x, a, b, w, gate_seq):  # the kernel for GPUs, as its source defines it
        rows, slot = torch.arange(len(w)), w.long()
        a, b = x[a[rows, slot]], x[b[rows, slot]]
        return (gate_seq[rows, slot][:, None].long() >> (3 - 2 * a - b).long() & 1).float()

    library.difflogic_cuda.eval = dense
    layers = [library.LogicLayer(12, 24, num_gates=4), library.LogicLayer(24, 18, num_gates=4)]
    layers[1].freeze()
    scores["compactlogic"] = save("compactlogic", nn.Sequential(*layers, library.GroupSum(3, tau=2.0)))


if __name__ == "__main__":
    scores = {}
    for write in (difflogic, torchlogix, torch_dwn, compactlogic):
        write(scores)
    np.savez(folder / "networks.npz", x=np.asarray(x), **scores)
