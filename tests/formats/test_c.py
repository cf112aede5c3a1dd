"""C99: compiled with every warning an error, run on samples, held against the slow evaluation."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.errors import OptionError, UnsupportedError
from gatewright.formats import to_c
from gatewright.formats.c import LONGEST, WORDS
from support.circuits import (
    TIES,
    circuits,
    random_circuit,
    random_features,
    slow_classes,
    slow_counts,
    slow_encode,
    slow_outputs,
)

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-O1"]


@pytest.fixture
def compiled(tool, run, tmp_path_factory):
    """`compiled(circuit, **options)` exports and compiles; the result maps samples to lines of numbers."""
    gcc = tool("gcc")

    def build(circuit, change=None, **options):
        folder = tmp_path_factory.mktemp("c")
        paths = to_c(circuit, folder, driver=True, **options)
        assert [path.suffix for path in paths[:3]] == [".h", ".c", ".c"]
        if change:
            paths[1].write_text(change(paths[1].read_text()))
        program = folder / "program"
        run(gcc, *FLAGS, "-o", program, *paths[1:])
        return lambda samples: run(program, stdin=np.ascontiguousarray(samples).tobytes())

    return build


def check(circuit, program, n, seed=0):
    """Compare a compiled driver with the slow evaluation; says where they differ."""
    if circuit.encoder is None:
        n = n if circuit.n_inputs else 1
        samples = np.random.default_rng(seed).random((n, circuit.n_inputs)) < 0.5
        bits = samples
    else:
        samples = random_features(circuit, n, seed)
        bits = slow_encode(circuit, samples)
    lines = program(samples).splitlines()
    assert len(lines) == n
    if circuit.head is None:
        got = np.array([[c == "1" for c in line] for line in lines], bool).reshape(n, circuit.n_outputs)
        np.testing.assert_array_equal(got, slow_outputs(circuit, bits))
    else:
        got = np.array([[int(part) for part in line.split()] for line in lines])
        np.testing.assert_array_equal(got[:, 1:], slow_counts(circuit, bits))
        np.testing.assert_array_equal(got[:, 0], slow_classes(circuit, bits))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuits, st.sampled_from(WORDS), st.sampled_from([1, 7, 64, 65, 130, 511, 513]))
def test_compiled_code_equals_slow_evaluation(compiled, circuit, word, n):
    check(circuit, compiled(circuit, word=word), n)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32"])
def test_every_type_of_features_with_thresholds_at_its_limits(compiled, dtype):
    circuit = random_circuit(1, 40, 100, 40, dtype=dtype)
    if dtype == "float32":
        top = float(np.finfo(np.float32).max)
        limits = [-top, top, 0.0, -0.0, float(np.float32(1e-45)), float(np.float32(0.1))]
    else:
        low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        limits = [low - 1, low, low + 1, high, high + 1, 0]
    threshold = np.resize(limits, 40)
    encoder = Encoder(circuit.encoder.feature, threshold, circuit.encoder.shape, dtype)
    check(
        Circuit(40, [], [], [], np.arange(40), encoder), compiled(Circuit(40, [], [], [], np.arange(40), encoder)), 300
    )


def test_many_functions_hand_their_values_on(compiled):
    circuit = random_circuit(2, 60, 9000, 700, classes=10)
    program = compiled(circuit, word=64)
    check(circuit, program, 500)


@pytest.mark.parametrize("word", [16, 512])
def test_large_circuits_are_split_into_sources(compiled, monkeypatch, tmp_path, word):
    circuit = random_circuit(2, 60, 9000, 700, classes=10)
    monkeypatch.setattr("gatewright.formats.c.gates.LARGEST", 10 * LONGEST)
    paths = to_c(circuit, tmp_path, word=word)
    parts = [path.read_text().count(" g") for path in paths if "_gates_" in path.name]
    assert len(parts) > 4
    assert [path.name for path in paths[:4]] == ["model.h", "model.c", "model_gates_0.c", "model_gates_1.c"]
    check(circuit, compiled(circuit, word=word), 600)


@pytest.mark.parametrize("word", [128, 256, 512])
@pytest.mark.parametrize("machine", ["x86-64", "native"])
def test_words_of_lanes_at_addresses_that_are_no_multiple_of_their_size(tool, run, tmp_path, word, machine):
    circuit = random_circuit(13, 30, 300, 50, classes=5)
    to_c(circuit, tmp_path, word=word)
    x = random_features(circuit, 1000)
    (tmp_path / "use.c").write_text(
        """
#include <stdio.h>
#include "model.h"
static uint64_t memory[sizeof(model_workspace) / 8 + 8], input[MODEL_INPUTS * MODEL_WORD_BITS / 64 + 8];
static model_feature x[1000 * MODEL_FEATURES];
int main(void) {
    static int32_t classes[1000], again[MODEL_WORD_BITS];
    if (fread(x, sizeof x, 1, stdin) != 1) return 1;
    for (int at = 0; at < 8; at++) {
        model_workspace *work = (void *)(memory + at);
        model_predict_batch(x, 1000, classes, 0, work);
        model_encode(x, 100, (model_word *)(input + at));
        /* Sample s is bit s % 64 of number s / 64. */
        for (int s = 0; s < 100; s++) {
            for (int i = 0; i < MODEL_INPUTS; i++) {
                const uint64_t bit = input[at + i * MODEL_WORD_BITS / 64 + s / 64] >> (s % 64) & 1;
                if (s == 99 && at == 7) putchar(bit ? '1' : '0');
            }
        }
        model_classify((model_word *)(input + at), 100, again, 0, work);
        for (int s = 0; s < 100; s++) if (again[s] != classes[s]) return 2;
    }
    for (int s = 0; s < 1000; s++) printf(" %d", (int)classes[s]);
    return 0;
}
"""
    )
    flags = [*FLAGS, f"-march={machine}"]
    run(tool("gcc"), *flags, "-o", tmp_path / "use", tmp_path / "use.c", tmp_path / "model.c")
    bits, *classes = run(tmp_path / "use", stdin=x.tobytes()).split()
    wanted = slow_encode(circuit, x)
    assert bits == "".join(map(str, wanted[99].astype(int)))
    np.testing.assert_array_equal([int(k) for k in classes], slow_classes(circuit, wanted))


def test_functions_stay_short_and_their_number_is_linear(tmp_path):
    circuit = random_circuit(2, 60, 9000, 3000, classes=10)
    text = to_c(circuit, tmp_path, name="net")[1].read_text()
    functions = re.split(r"^(?:APART|void) ", text, flags=re.MULTILINE)[1:]
    lengths = [len(re.findall(r"const net_word g\d+ =", part)) for part in functions]
    assert max(lengths) <= LONGEST
    assert sum(lengths) > 4000


def test_ties_and_constant_outputs(compiled):
    program = compiled(TIES)
    check(TIES, program, 64)
    assert program(np.zeros((1, 2), np.uint8)) == "0 1 1 0\n"


def test_a_broken_export_is_caught(compiled):
    circuit = random_circuit(7, 20, 60, 40, classes=4)

    def swap_one_gate(text):
        broken, n = re.subn(r"(g\d+ = .*) & ", r"\1 | ", text, count=1)
        assert n == 1
        return broken

    check(circuit, compiled(circuit), 500)
    with pytest.raises(AssertionError, match="not equal"):
        check(circuit, compiled(circuit, change=swap_one_gate), 500)


def test_single_samples_and_batches_through_the_interface(tool, run, tmp_path):
    circuit = random_circuit(11, 30, 200, 50, classes=5, dtype="int16")
    to_c(circuit, tmp_path, name="beat", word=16)
    x = random_features(circuit, 100)
    (tmp_path / "use.c").write_text(
        """
#include <stdio.h>
#include "beat.h"
static int16_t x[100 * BEAT_FEATURES];
int main(void) {
    static beat_workspace work;
    static int32_t classes[100], counts[100 * BEAT_CLASSES], one[BEAT_CLASSES];
    if (fread(x, sizeof x, 1, stdin) != 1) return 1;
    beat_predict_batch(x, 100, classes, counts, &work);
    for (int s = 0; s < 100; s++) {
        if (beat_predict(x + s * BEAT_FEATURES, one, &work) != classes[s]) return 2;
        if (beat_predict(x + s * BEAT_FEATURES, 0, &work) != classes[s]) return 3;
        for (int k = 0; k < BEAT_CLASSES; k++) if (one[k] != counts[s * BEAT_CLASSES + k]) return 4;
        printf("%d\\n", (int)classes[s]);
    }
    beat_predict_batch(x, 100, 0, counts, &work);
    return 0;
}
"""
    )
    run(tool("gcc"), *FLAGS, "-o", tmp_path / "use", tmp_path / "use.c", tmp_path / "beat.c")
    got = [int(line) for line in run(tmp_path / "use", stdin=x.tobytes()).split()]
    np.testing.assert_array_equal(got, slow_classes(circuit, slow_encode(circuit, x)))


def test_headers_are_cpp_too_and_free_of_odd_text(tool, run, tmp_path):
    circuit = random_circuit(1).replace(metadata={"evil */ key": "line\nbreak */ int x; /* \\ é"})
    to_c(circuit, tmp_path)
    run(tool("gcc"), "-xc++", "-std=c++11", "-Wall", "-Werror", "-pedantic", "-fsyntax-only", tmp_path / "model.h")
    run(tool("gcc"), *FLAGS, "-c", tmp_path / "model.c", "-o", tmp_path / "model.o")


def test_bad_options_are_refused_by_name(tmp_path):
    circuit = random_circuit(1)
    for name in ("2net", "a-b", "", "int", "x" * 64, "net\n"):
        with pytest.raises(OptionError, match="name"):
            to_c(circuit, tmp_path, name=name)
    with pytest.raises(OptionError, match="word is 24"):
        to_c(circuit, tmp_path, word=24)
    with pytest.raises(UnsupportedError, match="32-bit"):
        to_c(circuit.replace(head=Head(circuit.head.group, circuit.head.offset + (1 << 31))), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="is a file"):
        to_c(circuit, tmp_path / "file")
