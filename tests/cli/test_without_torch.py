"""Circuits load, run, leave and are compared where torch is not installed; what needs it says so."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
sys.modules["torch"] = None  # as if it were not installed
sys.argv[0] = "gatewright"
import numpy as np
import gatewright as gw
from gatewright.cli import app

model, folder = gw.load("digits-narrow"), sys.argv[1]
x = gw.load_dataset("digits").test.x
assert (model.predict(x) == gw.load_dataset("digits").test.y).mean() > 0.9
model.save(f"{folder}/d.gw")
np.save(f"{folder}/in.npy", x)
assert gw.verify(gw.load_circuit(f"{folder}/d.gw"), model.circuit).equal
for command in (
    ["info", f"{folder}/d.gw"], ["zoo"], ["presets"], ["data"], ["eval", "digits-narrow", "--dataset", "digits"],
    ["predict", "digits-narrow", f"{folder}/in.npy", "-o", f"{folder}/out.npy"],
    ["verify", "digits-narrow", f"{folder}/d.gw"],
    ["export", "digits-narrow", *"--to c --to verilog --to aiger --to blif --to html -o".split(), folder],
    ["train", "digits", "--out", f"{folder}/run"], ["report", "digits-narrow", "-o", f"{folder}/r.html"],
):
    try:
        app([*command], prog_name="gatewright")
    except SystemExit as end:
        print("CODE", command[0], end.code)
"""


def test_only_what_needs_torch_asks_for_it(tmp_path):
    done = subprocess.run([sys.executable, "-c", CODE, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    codes = dict(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("CODE "))
    assert codes.pop("train") == codes.pop("report") == "2"
    assert set(codes.values()) == {"0"}
    assert len(codes) == 8
    assert done.stderr.count("error: this command needs torch") == 2
