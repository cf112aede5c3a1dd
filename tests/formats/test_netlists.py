"""AIGER and BLIF: there and back, through a foreign tool, and refused where damaged."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewright.circuit.arithmetic import feature_bits
from gatewright.errors import DataError, FormatError, OptionError, UnsupportedError
from gatewright.formats import from_aiger, from_blif, to_aiger, to_blif
from support.circuits import circuits, random_circuit, random_features, slow_classes, slow_encode, slow_outputs

ROUND_TRIPS = [(to_aiger, from_aiger), (to_blif, from_blif)]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuits, st.sampled_from(ROUND_TRIPS))
def test_what_is_written_reads_back_as_the_same_function(tmp_path_factory, circuit, formats):
    write, read = formats
    folder = tmp_path_factory.mktemp("netlist")
    if circuit.n_outputs == 0:
        with pytest.raises(UnsupportedError, match="no outputs"):
            write(circuit, folder)
        return
    (path,) = write(circuit, folder)
    bits = np.random.default_rng(0).random((200, circuit.n_inputs)) < 0.5
    back = read(path, like=circuit)
    np.testing.assert_array_equal(slow_outputs(back, bits), slow_outputs(circuit, bits))
    assert back.encoder is circuit.encoder
    assert back.head is circuit.head
    assert dict(back.metadata) == dict(circuit.metadata)
    plain = read(path)
    assert plain.encoder is None
    assert plain.head is None


@pytest.mark.parametrize(("write", "read"), ROUND_TRIPS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_encoder_and_head_as_gates(tmp_path, write, read, dtype):
    circuit = random_circuit(5, 20, 150, 40, dtype=dtype, classes=5)
    x = random_features(circuit, 300)
    (path,) = write(circuit, tmp_path, encoder=True, head=True)
    index = slow_outputs(read(path), feature_bits(circuit.encoder, x)) @ [1, 2, 4]
    np.testing.assert_array_equal(index, slow_classes(circuit, slow_encode(circuit, x)))


def test_abc_proves_both_files_equal_and_its_tables_read_back(abc, tmp_path):
    circuit = random_circuit(3, 30, 2000, 60, gates=[1, 2, 4, 6, 7, 8, 9, 11, 13, 14])
    to_aiger(circuit, tmp_path)
    to_blif(circuit, tmp_path)
    assert "Networks are equivalent" in abc("cec -n model.aig model.blif", tmp_path)
    # Improved and mapped to six-input tables, it comes back as the same function.
    abc("read model.aig; strash; dc2; if -K 6; write_blif mapped.blif", tmp_path)
    back = from_blif(tmp_path / "mapped.blif", like=circuit)
    x = random_features(circuit, 1000)
    bits = slow_encode(circuit, x)
    np.testing.assert_array_equal(slow_outputs(back, bits), slow_outputs(circuit, bits))
    # A file with one gate changed is told from the right one.
    text = (tmp_path / "model.blif").read_text()
    assert "\n11 1\n" in text
    (tmp_path / "broken.blif").write_text(text.replace("\n11 1\n", "\n10 1\n", 1))
    assert "NOT EQUIVALENT" in abc("cec -n model.aig broken.blif", tmp_path)


BLIF = """# a comment
.model three
.inputs x y \\
  z
.outputs odd most never always not_most
.names x y z odd   # written before what it needs, in any order
100 1
010 1
001 1
111 1
.names most not_most
0 1
.names both neither most
1- 1
-0 1
.names never
.names always
1
.names x y both
11 1
.names y z x neither
000 0
1-1 0
11- 0
-11 0
.end
"""


def test_tables_of_any_size_in_any_order(tmp_path):
    path = tmp_path / "three.blif"
    path.write_text(BLIF)
    circuit = from_blif(path)
    bits = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], bool)
    x, y, z = bits.T
    zero = ~(~y & ~z & ~x | y & x | y & z | z & x)
    most = (x & y) | ~zero
    expected = [x ^ y ^ z, most, np.zeros(8, bool), np.ones(8, bool), ~most]
    np.testing.assert_array_equal(slow_outputs(circuit, bits), np.array(expected).T)
    assert json.loads(circuit.metadata["blif.inputs"]) == {"0": "x", "1": "y", "2": "z"}
    assert json.loads(circuit.metadata["blif.outputs"])["4"] == "not_most"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("\n11 1", "\n1 1"), FormatError, r"line 20: '1 1' is no row of a table of 2"),
        (("\n11 1", "\n11 2"), FormatError, "line 20"),
        (("000 0\n", "000 1\n"), FormatError, "rows for 0 and for 1"),
        ((".names x y both\n11 1\n", ""), FormatError, "'both' is used but never defined"),
        ((".names x y both", ".names x most both"), FormatError, "depends on itself"),
        ((".names never", ".names always"), FormatError, "'always' is defined a second time"),
        ((".names never", ".names x"), FormatError, "input 'x' is defined a second time"),
        ((".names never", ".latch x never"), UnsupportedError, r"line 16: \.latch"),
        ((".names never", ".model again"), UnsupportedError, "second .model"),
        ((".names never", ".nmaes never"), FormatError, "unknown statement '.nmaes'"),
        ((".outputs", "# .outputs"), UnsupportedError, "no .outputs"),
        (("# a comment", "11 1"), FormatError, "belongs to no .names"),
    ],
)
def test_damaged_blif_is_refused_by_line(tmp_path, change, error, message):
    assert change[0] in BLIF
    path = tmp_path / "bad.blif"
    path.write_text(BLIF.replace(*change, 1))
    with pytest.raises(error, match=message):
        from_blif(path)


@pytest.mark.parametrize(("write", "read"), ROUND_TRIPS)
def test_files_that_do_not_fit_are_refused(tmp_path, write, read):
    circuit = random_circuit(1)
    (path,) = write(circuit, tmp_path, name="net")
    assert path.stem == "net"
    with pytest.raises(FormatError, match=r"net.* has 20 inputs and 30 outputs, expected 20 and 31"):
        read(path, like=random_circuit(2, n_outputs=31))
    with pytest.raises(DataError, match="No such file"):
        read(tmp_path / "none")
    with pytest.raises(OptionError, match="name"):
        write(circuit, tmp_path, name="../net")
    part = path.read_bytes()[: path.stat().st_size // 8]
    path.write_bytes(part)
    with pytest.raises(FormatError):
        read(path)
