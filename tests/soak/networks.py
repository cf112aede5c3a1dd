"""Networks through every back end, all compared: torch, reference, engine, C, Verilog, AIGER, BLIF, ABC and the web page.

A case is a batch of networks, so that each foreign tool starts once for all of them. Most are random, one is trained.
Kinds: reference, c, verilog, aiger, blif, html (all of them unless some are named).
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gatewright import Circuit, GroupSum, LogicConv2d, LogicDense, Thermometer, lower, simplify, unshare
from gatewright.circuit.evaluate import classify, encode, evaluate
from gatewright.engine import Engine
from gatewright.formats import export, from_aiger, from_blif
from gatewright.runtime.abc import run_abc
from soak.harness import Failure, doing, main, unexpected
from soak.mutator import Rng, one
from soak.simulation import run
from support.circuits import random_circuit, random_features, slow_classes, slow_counts, slow_encode, slow_outputs
from support.page import DRIVER, Page

BATCH = 16
SAMPLES = 70
WAVES = 12
"""Samples that are simulated as Verilog."""


@dataclass(frozen=True)
class Network:
    """A circuit, samples, and what it must answer.

    Attributes:
        circuit: The circuit.
        x: Raw samples, or bits where it has no encoder.
        bits: Its inputs for them.
        outputs: Its outputs.
        counts: Of the classes; None without a head.
    """

    circuit: Circuit
    x: npt.NDArray[Any]
    bits: npt.NDArray[np.bool_]
    outputs: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.int64] | None

    @classmethod
    def of(cls, circuit: Circuit, seed: int) -> Network:
        """A circuit with random samples, evaluated gate by gate."""
        if circuit.encoder is None:
            x = np.random.default_rng(seed).random((SAMPLES, circuit.n_inputs)) < 0.5
            bits = x
        else:
            x = random_features(circuit, SAMPLES, seed)
            bits = slow_encode(circuit, x)
        counts = slow_counts(circuit, bits) if circuit.head else None
        return cls(circuit, x, bits, slow_outputs(circuit, bits), counts)

    @property
    def numbers(self) -> list[list[int]]:
        """Per sample class and counts, or outputs: what programs print."""
        if self.counts is None:
            return self.outputs.astype(int).tolist()
        return np.column_stack([np.argmax(self.counts, axis=1), self.counts]).tolist()


def random_network(rng: Rng) -> Network:
    """A random circuit of any kind, sometimes simplified."""
    circuit = random_circuit(
        int(rng.integers(2**32)),
        int(rng.integers(1, 24)),
        int(one(rng, (0, 1, 5, 20, 60, 120))),
        int(rng.integers(1, 20)),
        head=rng.random() < 0.7,
        encoder=rng.random() < 0.7,
        dtype=str(one(rng, ("bool", "uint8", "int16", "int32", "float32"))),
    )
    small = simplify(circuit) if rng.random() < 0.3 else circuit
    return Network.of(
        small if small.n_outputs else circuit, int(rng.integers(2**32))
    )  # constant outputs are no outputs


def trained_network(rng: Rng) -> Network:
    """A few steps of training on a random task; torch's scores are compared at once."""
    g = torch.Generator().manual_seed(int(rng.integers(2**31)))
    hard = {"relaxation": "hard", "candidates": 4, "generator": g}
    kind = one(rng, ("dense", "convolution", "unshared"))
    if kind == "dense":
        shape: tuple[int, ...] = (6,)
        layers = [LogicDense(12, 24, **hard), LogicDense(24, 12, **hard)]
    else:
        shape = (1, 2, 3)
        layers = [LogicConv2d(2, 4, 3, padding=1, **hard), nn.Flatten(), LogicDense(24, 12, **hard)]
    model = nn.Sequential(Thermometer.uniform(2, shape, "uint8"), *layers, GroupSum(3))
    x = torch.randint(0, 256, (SAMPLES, *shape), generator=g, dtype=torch.uint8)
    first, second, third = x.reshape(SAMPLES, -1)[:, :3].unbind(1)
    y = (first > second).long() + (third > 128).long()
    train_for(8, model, x, y)
    if kind == "unshared":
        unshare(model, x)
        train_for(8, model, x, y)
    circuit = lower(model.eval())
    bits = slow_encode(circuit, x.numpy())
    network = Network(circuit, x.numpy(), bits, slow_outputs(circuit, bits), slow_counts(circuit, bits))
    scores = model(x).double().numpy() * circuit.head.tau
    if not np.array_equal(np.rint(scores), network.counts):
        raise Failure(f"torch and circuit differ ({kind})")
    return network


def train_for(steps: int, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    """Minimise cross-entropy."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def equal(kind: str, got: Any, wanted: Any, about: object = "") -> None:
    """Fail if two tables differ."""
    if not np.array_equal(np.asarray(got), np.asarray(wanted)):
        raise Failure(f"{kind} differs", str(about))


def check_reference(networks: Sequence[Network], rng: Rng, folder: Path) -> None:
    """The vectorised reference, the simplified circuit, and the engine."""
    del folder
    for network in networks:
        circuit = network.circuit
        equal("reference", evaluate(circuit, network.bits), network.outputs)
        if circuit.encoder is not None:
            equal("encode", encode(circuit, network.x), network.bits)
        if circuit.head is not None:
            equal("classify", classify(circuit, network.bits), slow_classes(circuit, network.bits))
        small = simplify(circuit)
        if small.head is not None:
            equal("simplify", slow_counts(small, network.bits), network.counts)
        engine = Engine(small if rng.random() < 0.5 else circuit, threads=1)
        if circuit.head is not None:
            given = network.x if circuit.encoder else network.bits
            equal("engine", engine.predict(given), slow_classes(circuit, network.bits))


def _interface(network: Network) -> bytes:
    return network.x.tobytes() if network.circuit.encoder else network.bits.astype(np.uint8).tobytes()


def check_c(networks: Sequence[Network], rng: Rng, folder: Path) -> None:
    """One program of all networks, compiled by gcc."""
    sources = []
    for i, network in enumerate(networks):
        word = int(one(rng, (8, 16, 32, 64, 128, 256)))
        paths = export(network.circuit, "c", folder, name=f"n{i}", word=word, driver=True)
        *parts, driver = (path.read_text() for path in paths if path.suffix == ".c")
        driver = re.sub(r"\b(work|values|classes|counts)\b", rf"n{i}_the_\1", driver)
        sources += [*parts, driver.replace("int main(void)", f"static int n{i}_main(void)")]
    cases = "".join(f"case {i}: return n{i}_main(); " for i in range(len(networks)))
    start = f"int main(int c, char **v) {{ (void)c; switch (atoi(v[1])) {{ {cases} }} return 1; }}"
    (folder / "all.c").write_text("\n".join(["#include <stdlib.h>", *sources, start, ""]))
    options = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-psabi"]
    if run("gcc", *options, "-o", "all", "all.c", folder=folder) is None:
        raise Failure("C does not compile")
    for i, network in enumerate(networks):
        said = run("./all", str(i), folder=folder, stdin=_interface(network))
        lines = (said or "").splitlines()
        rows = [list(map(int, line.split() if network.circuit.head else line)) for line in lines]
        equal("C", rows if network.circuit.n_inputs or network.circuit.encoder else rows * SAMPLES, network.numbers, i)


def _vector(row: npt.NDArray[Any]) -> int:
    """A sample as the number on the input port."""
    if row.dtype == np.bool_:
        return sum(int(bit) << i for i, bit in enumerate(row.reshape(-1)))
    return int.from_bytes(np.ascontiguousarray(row.reshape(-1)).tobytes(), "little")


def check_verilog(networks: Sequence[Network], rng: Rng, folder: Path) -> None:
    """One test bench of all modules, with and without encoder, head and registers, simulated by iverilog."""
    files, benches, wanted = [], [], []
    for i, network in enumerate(networks):
        circuit, pipeline = network.circuit, int(one(rng, (0, 0, 1, 3)))
        raw, head = (bool(rng.random() < 0.7 and part) for part in (circuit.encoder, circuit.head))
        options = {"encoder": raw, "head": head, "pipeline": pipeline, "name": f"n{i}"}
        files += [path.name for path in export(circuit, "verilog", folder, **options)]
        width = 8 * network.x.dtype.itemsize * circuit.encoder.n_features if raw else circuit.n_inputs
        if raw and network.x.dtype == np.bool_:
            width = circuit.encoder.n_features
        size = max(1, (circuit.head.n_classes - 1).bit_length()) if head else circuit.n_outputs
        clock = f", .clk(c{i})" if pipeline else ""
        names = ("features" if raw else "bits", "class_index" if head else "outputs")
        benches.append(f"reg c{i} = 1; reg [{width - 1}:0] x{i}; wire [{size - 1}:0] y{i};")
        benches.append(f"n{i} d{i} (.{names[0]}(x{i}), .{names[1]}(y{i}){clock}); initial begin #{1 + 1000 * i};")
        rows = (network.x if raw else network.bits)[:WAVES]
        for row in [*rows, *[rows[0]] * pipeline]:
            benches.append(
                f'x{i} = {width}\'h{_vector(row):x}; #1; c{i} = 0; #1; $display("{i} %b", y{i}); c{i} = 1; #1;'
            )
        benches.append("end")
        values = np.argmax(network.counts, axis=1).tolist() if head else [_vector(row) for row in network.outputs]
        wanted.append((pipeline, [format(value, f"0{size}b") for value in values[:WAVES]]))
    (folder / "tb.v").write_text("\n".join(["module tb;", *benches, "endmodule", ""]))
    if run("iverilog", "-g2001", "-s", "tb", "-o", "tb.vvp", "tb.v", *files, folder=folder) is None:
        raise Failure("Verilog does not compile")
    said = [line.split() for line in (run("vvp", "-n", "tb.vvp", folder=folder) or "").splitlines()]
    for i, (pipeline, values) in enumerate(wanted):
        equal("Verilog", [word for number, word in said if number == str(i)][pipeline:], values, i)


def _read_back(network: Network, like: Circuit, kind: str) -> None:
    equal(kind, slow_outputs(like, network.bits), network.outputs)


def check_aiger(networks: Sequence[Network], rng: Rng, folder: Path) -> None:
    """AIGER, read back, and read back as the BLIF that ABC makes of it."""
    del rng
    for i, network in enumerate(networks):
        (path,) = export(network.circuit, "aiger", folder, name=f"a{i}")
        _read_back(network, from_aiger(path, like=network.circuit), "AIGER")
    script = "; ".join(f"read_aiger a{i}.aig; write_blif a{i}.blif" for i in range(len(networks)))
    run_abc(script, folder, 60)
    for i, network in enumerate(networks):
        _read_back(network, from_blif(folder / f"a{i}.blif", like=network.circuit), "AIGER by ABC")


def check_blif(networks: Sequence[Network], rng: Rng, folder: Path) -> None:
    """BLIF, read back, and read back as the AIGER that ABC makes of it."""
    del rng
    for i, network in enumerate(networks):
        (path,) = export(network.circuit, "blif", folder, name=f"b{i}")
        _read_back(network, from_blif(path, like=network.circuit), "BLIF")
    script = "; ".join(f"read_blif b{i}.blif; strash; write_aiger -s b{i}.aig" for i in range(len(networks)))
    run_abc(script, folder, 60)
    for i, network in enumerate(networks):
        _read_back(network, from_aiger(folder / f"b{i}.aig", like=network.circuit), "BLIF by ABC")


def check_html(networks: Sequence[Network], rng: Rng, folder: Path) -> None:
    """The scripts of all pages, run by node."""
    del rng
    code, parts = "", []
    for i, network in enumerate(networks):
        (path,) = export(network.circuit, "html", folder, name=f"h{i}")
        scripts = Page(path.read_text(encoding="utf-8")).scripts
        (folder / f"h{i}.json").write_text(scripts["model"])
        (folder / f"h{i}.raw").write_bytes(_interface(network))
        code = scripts["circuit"]
        driver = DRIVER.replace("model.json", f"h{i}.json").replace("readFileSync(0)", f'readFileSync("h{i}.raw")')
        parts.append(f"{{ console.log('network'); {driver} }}")
    (folder / "all.js").write_text("\n".join([code, *parts]))
    said = run("node", "all.js", folder=folder)
    if said is None:
        raise Failure("HTML does not run")
    for i, (network, lines) in enumerate(zip(networks, said.split("network\n")[1:], strict=True)):
        equal("HTML", [list(map(int, line.split())) for line in lines.splitlines()], network.numbers, i)


CHECKS = {
    "reference": check_reference,
    "c": check_c,
    "verilog": check_verilog,
    "aiger": check_aiger,
    "blif": check_blif,
    "html": check_html,
}


def case(rng: Rng, only: Sequence[str]) -> str:
    """One batch of networks through all back ends."""
    networks = [trained_network(rng), *(random_network(rng) for _ in range(BATCH - 1))]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        for kind, check in CHECKS.items():
            if only and kind not in only:
                continue
            doing(kind)
            try:
                check(networks, rng, Path(folder))
            except Failure:
                raise
            except Exception as error:
                raise unexpected(kind, error) from error
    return "equal"


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main("networks", case, size=BATCH))
