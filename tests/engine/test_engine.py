"""The engine against the slow evaluation: every way in, every way out, every size."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gatewright
from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.engine import Engine, PackedBits
from gatewright.errors import DataError, DtypeError, OptionError, ShapeError, UnsupportedError
from gatewright.features import as_array
from support.circuits import (
    circuits,
    random_circuit,
    random_features,
    slow_classes,
    slow_counts,
    slow_encode,
    slow_outputs,
)

SIZES = [1, 63, 64, 65, 1000]


def pack(bits):
    """uint64 [n_inputs, words] by the definition: sample s is bit s % 64 of word s // 64."""
    packed = np.zeros((bits.shape[1], -(-len(bits) // 64)), np.uint64)
    for s, sample in enumerate(bits):
        packed[:, s // 64] |= sample.astype(np.uint64) << np.uint64(s % 64)
    return packed


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@settings(deadline=None, max_examples=60)
@given(circuits, st.sampled_from(SIZES), st.sampled_from([1, 2, 3]), st.sampled_from([None, 512, 1024, 2048]))
def test_equals_slow_evaluation(circuit, n, threads, block):
    engine = Engine(circuit, threads=threads, block=block)
    rng = np.random.default_rng(n)
    if circuit.encoder is None:
        bits = rng.random((n, circuit.n_inputs)) < 0.5
        x = bits
    else:
        x = random_features(circuit, n)
        bits = slow_encode(circuit, x)
    booleans = Engine(circuit.replace(encoder=None), threads=threads, block=block)
    packed = PackedBits(pack(bits), n)
    for result in (engine.outputs(x), engine.outputs(packed), booleans.outputs(bits)):
        assert result.dtype == np.bool_
        np.testing.assert_array_equal(result, slow_outputs(circuit, bits))
    if circuit.head is None:
        with pytest.raises(UnsupportedError, match="no head"):
            engine.predict(x)
        with pytest.raises(UnsupportedError, match="no head"):
            engine.counts(x)
        return
    expected = slow_counts(circuit, bits)
    for result in (engine.counts(x), engine.counts(packed), booleans.counts(bits)):
        assert result.dtype == np.int64
        np.testing.assert_array_equal(result, expected)
    for result in (engine.predict(x), engine.predict(packed), booleans.predict(bits)):
        assert result.dtype == np.int64
        np.testing.assert_array_equal(result, slow_classes(circuit, bits))
    scores = expected / circuit.head.tau
    for result in (engine.scores(x), engine.scores(packed), booleans.scores(bits)):
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, scores.astype(np.float32))
    for result in (engine.predict_proba(x), engine.predict_proba(packed), booleans.predict_proba(bits)):
        assert result.dtype == np.float32
        assert result.shape == scores.shape
        np.testing.assert_allclose(result, softmax(scores), rtol=1e-5, atol=1e-7)


def test_no_samples_give_empty_results():
    circuit = random_circuit(1, classes=4)
    engine = Engine(circuit)
    x = np.zeros((0, *circuit.encoder.shape), np.uint8)
    assert engine.predict(x).shape == (0,)
    assert engine.counts(x).shape == engine.scores(x).shape == engine.predict_proba(x).shape == (0, 4)
    assert engine.outputs(x).shape == (0, circuit.n_outputs)
    assert engine.predict(PackedBits(np.zeros((20, 0), np.uint64), 0)).shape == (0,)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32"])
@pytest.mark.parametrize("n_inputs", [2, 126, 128, 130, 700])
def test_every_dtype_and_width_of_features(dtype, n_inputs):
    circuit = random_circuit(n_inputs, n_inputs, 900, 300, dtype=dtype)
    x = random_features(circuit, 200)
    bits = slow_encode(circuit, x)
    np.testing.assert_array_equal(Engine(circuit).counts(x), slow_counts(circuit, bits))


def test_several_thresholds_a_feature_and_inputs_in_any_order():
    rng = np.random.default_rng(0)
    feature = rng.permutation(np.repeat(np.arange(100), 7))
    threshold = rng.integers(-2, 260, 700)
    rows = np.arange(700)
    circuit = Circuit(700, [], [], [], rows, Encoder(feature, threshold, (4, 5, 5), "uint8"))
    x = rng.integers(0, 256, (333, 4, 5, 5)).astype(np.uint8)
    np.testing.assert_array_equal(Engine(circuit).outputs(x), x.reshape(333, 100)[:, feature] >= threshold)


def test_threads_blocks_and_chunks_change_nothing():
    circuit = random_circuit(5, 784, 3000, 500)
    x = random_features(circuit, 20_011)
    expected = Engine(circuit, threads=1).counts(x)
    sample = np.r_[0:64, 2000:2064, 19_950:20_011]
    np.testing.assert_array_equal(expected[sample], slow_counts(circuit, slow_encode(circuit, x[sample])))
    for threads in (1, 2, 3):
        for block in (512, 1024, 2048):
            np.testing.assert_array_equal(Engine(circuit, threads=threads, block=block).counts(x), expected)


def test_wide_groups_and_inverted_outputs_count_exactly():
    # Groups of 1 to 1,500 outputs, all nodes inverted or not, so that counters reach every one of their bits.
    n_inputs = 12
    circuit = random_circuit(8, n_inputs, 400, 4000, classes=9, encoder=False)
    sizes = np.array([1, 15, 16, 17, 31, 33, 500, 1500])
    group = np.repeat(np.arange(9), [*sizes, 4000 - sizes.sum()])
    circuit = circuit.replace(head=Head(group, [-5, 1 << 40, 0, 3, 0, -(1 << 40), 0, 0, 7], 2.5))
    bits = (np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs) & 1).astype(bool)
    np.testing.assert_array_equal(Engine(circuit).counts(bits), slow_counts(circuit, bits))
    np.testing.assert_array_equal(Engine(circuit).predict(bits), slow_classes(circuit, bits))


@pytest.mark.parametrize("classes", [1, 2, 3, 7, 8, 9, 33])
def test_ties_go_to_the_lowest_class(classes):
    # Class k counts input k, so any pattern of inputs is a tie among its ones (or among all classes).
    head = Head(np.arange(classes), np.zeros(classes))
    circuit = Circuit(classes, [], [], [], np.arange(classes), head=head)
    bits = np.random.default_rng(0).random((500, classes)) < 0.3
    bits[0], bits[1] = False, True
    expected = [int(np.flatnonzero(row)[0]) if row.any() else 0 for row in bits]
    np.testing.assert_array_equal(Engine(circuit).predict(bits), expected)


def test_every_gate_on_every_kind_of_operand():
    # Operands: an input, its inverse, constants, wires, and twice the same, for each of the 16 gates.
    gate, a, b = [0, 15, 12, 3, 5, 10], [0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]
    operands = [0, 1, 2, 3, 4, 5, 6, 7]
    for g in range(1, 15):
        for i in operands:
            for j in operands:
                gate.append(g)
                a.append(i)
                b.append(j)
    circuit = Circuit(2, gate, a, b, np.arange(2 + len(gate)))
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)
    np.testing.assert_array_equal(Engine(circuit).outputs(bits), slow_outputs(circuit, bits))


def test_layouts_casts_and_foreign_arrays_are_read_as_they_are():
    circuit = random_circuit(3, 40, 300, 60, dtype="int32")
    circuit = circuit.replace(encoder=Encoder(circuit.encoder.feature, np.arange(40) * 6, (4, 5), "int32"))
    x = np.random.default_rng(0).integers(0, 256, (300, 4, 5)).astype(np.uint8)
    engine = Engine(circuit)
    expected = slow_counts(circuit, slow_encode(circuit, x))
    frozen = x.copy()
    frozen.setflags(write=False)
    wide = np.zeros((600, 4, 10), np.int32)
    wide[::2, :, ::2] = x
    views = [x, x.astype(np.int16), x.astype(np.int32), np.asfortranarray(x), frozen, wide[::2, :, ::2]]
    views.append(np.ascontiguousarray(x[::-1])[::-1])
    for view in views:
        np.testing.assert_array_equal(engine.counts(view), expected)

    class OnlyDlpack:
        def __dlpack__(self, **options):
            return x.__dlpack__(**options)

        def __dlpack_device__(self):
            return x.__dlpack_device__()

    np.testing.assert_array_equal(engine.counts(OnlyDlpack()), expected)


def test_torch_tensors_are_read():
    torch = pytest.importorskip("torch")
    circuit = random_circuit(3, 40, 300, 60, dtype="float32")
    x = random_features(circuit, 100)
    expected = Engine(circuit).counts(x)
    np.testing.assert_array_equal(Engine(circuit).counts(torch.from_numpy(x)), expected)
    with pytest.raises(DtypeError, match="detached"):
        Engine(circuit).counts(torch.from_numpy(x).requires_grad_())


def test_arrow_is_read_in_place():
    arrow = pytest.importorskip("pyarrow")
    circuit = random_circuit(3, 48, 300, 60)
    x = random_features(circuit, 100)
    engine = Engine(circuit)
    expected = engine.counts(x)
    lists = arrow.FixedSizeListArray.from_arrays(arrow.array(x.ravel()), 24)
    columns = {f"feature {i}": x[:, i] for i in range(24)}
    column = arrow.chunked_array([lists[:30], lists[30:]])
    for same in (lists, arrow.Tensor.from_numpy(x), arrow.table(columns), arrow.record_batch(columns), column):
        np.testing.assert_array_equal(engine.counts(same), expected)
    np.testing.assert_array_equal(engine.counts(lists[7:60]), expected[7:60])
    assert np.shares_memory(as_array(lists, "x"), lists.flatten().to_numpy())
    assert np.shares_memory(as_array(arrow.Tensor.from_numpy(x), "x"), x)

    images = circuit.replace(encoder=Encoder(circuit.encoder.feature, circuit.encoder.threshold, (4, 6), "uint8"))
    rows = arrow.FixedSizeListArray.from_arrays(arrow.array(x.ravel()), 6)
    nested = arrow.FixedSizeListArray.from_arrays(rows, 4)
    tensors = arrow.ExtensionArray.from_storage(arrow.fixed_shape_tensor(arrow.uint8(), [4, 6]), lists)
    for same in (nested, tensors):
        np.testing.assert_array_equal(Engine(images).counts(same), expected)

    for pieces in ([None, *x.tolist()], [[None] * 24]):
        with pytest.raises(DtypeError, match="null"):
            engine.counts(arrow.array(pieces, arrow.list_(arrow.uint8(), 24)))


def test_memory_mapped_files_and_streams(tmp_path):
    circuit = random_circuit(4, 60, 500, 80)
    x = random_features(circuit, 9000)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    engine = Engine(circuit)
    expected = engine.predict(x)
    np.testing.assert_array_equal(engine.predict(mapped), expected)
    parts = list(engine.predict_stream(mapped[i : i + 700] for i in range(0, 9000, 700)))
    assert [len(part) for part in parts] == [700] * 12 + [600]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    for result, whole in (("scores", engine.scores(x)), ("probabilities", engine.predict_proba(x))):
        parts = engine.predict_stream((mapped[i : i + 700] for i in range(0, 9000, 700)), result)
        np.testing.assert_array_equal(np.concatenate(list(parts)), whole)
    with pytest.raises(OptionError, match="unknown result 'class'; did you mean 'classes'"):
        engine.predict_stream([x], "class")


def test_extreme_features_meet_extreme_thresholds():
    limits = np.array([-(2.0**31), 2.0**31 - 1, 0, 2.0**31, -(2.0**31) - 1])
    circuit = Circuit(5, [], [], [], np.arange(5), Encoder(np.zeros(5), limits, (1,), "int32"))
    x = np.array([[-(2**31)], [2**31 - 1], [0], [-1]], np.int32)
    np.testing.assert_array_equal(Engine(circuit).outputs(x), x.astype(float) >= limits)
    circuit = Circuit(2, [], [], [], [0, 1], Encoder([0, 0], [0.0, np.finfo(np.float32).max], (1,), "float32"))
    x = np.array([[-np.inf], [np.inf], [-0.0], [np.finfo(np.float32).max]], np.float32)
    np.testing.assert_array_equal(Engine(circuit).outputs(x), [[0, 0], [1, 1], [1, 0], [1, 1]])


def test_bad_features_are_refused_by_name():
    engine = Engine(random_circuit(1, 20, 50, 10, dtype="float32"))
    x = random_features(engine.circuit, 70)
    with pytest.raises(ShapeError, match=r"shape \(70, 9\), expected \(n, 10\)"):
        engine.predict(x[:, :9])
    with pytest.raises(ShapeError, match=r"a single sample is x\[None\]"):
        engine.predict(x[0])
    with pytest.raises(DtypeError, match=r"float64, which float32 .* x.astype"):
        engine.predict(x.astype(np.float64))
    with pytest.raises(DtypeError, match="int32, which float32"):
        engine.predict(x.astype(np.int32))
    with pytest.raises(DtypeError, match="expected numbers"):
        engine.predict(np.full((2, 10), "a"))
    with pytest.raises(DtypeError, match="complex128"):
        engine.predict(x.astype(complex))
    x[66, 3] = np.nan
    with pytest.raises(DataError, match="sample 66, feature 3"):
        engine.predict(x)
    with pytest.raises(DtypeError, match="int64, which uint8"):
        Engine(random_circuit(1, 20, 50, 10)).predict(np.zeros((3, 10), np.int64))


def test_nan_is_found_in_features_that_no_gate_reads():
    circuit = Circuit(1, [], [], [], [0], Encoder([0], [0.5], (100,), "float32"))
    x = np.zeros((3000, 100), np.float32)
    x[2900, 99] = np.nan
    with pytest.raises(DataError, match="sample 2900, feature 99"):
        Engine(circuit, threads=2).outputs(x)
    stream = Engine(circuit.replace(head=Head([0], [0]))).predict_stream([x[:2000], x[:100], x[2000:]])
    assert len(next(stream)) + len(next(stream)) == 2100
    with pytest.raises(DataError, match="sample 3000, feature 99"):
        next(stream)


def test_bad_bits_are_refused_by_name():
    circuit = random_circuit(1, 20, 50, 10)
    engine = Engine(circuit.replace(encoder=None))
    with pytest.raises(ShapeError, match=r"expected \(n, 20\)"):
        engine.predict(np.zeros((5, 19), bool))
    with pytest.raises(DtypeError, match="astype"):
        engine.predict(np.zeros((5, 20), np.uint8))
    with pytest.raises(DtypeError, match=r"bits are uint64, .* PackedBits\(words, n\)"):
        engine.predict(np.zeros((20, 2), np.uint64))
    for each in (engine, Engine(circuit)):
        with pytest.raises(ShapeError, match="have 19 rows, expected 20"):
            each.predict(PackedBits(np.zeros((19, 2), np.uint64), 128))
        assert len(each.predict(PackedBits(np.zeros((20, 2), np.uint64), 128))) == 128


def test_flattened_samples_are_taken_like_shaped_ones():
    circuit = random_circuit(3, 48, 300, 60)
    circuit = circuit.replace(encoder=Encoder(circuit.encoder.feature, circuit.encoder.threshold, (2, 3, 4), "uint8"))
    x = random_features(circuit, 100)
    engine = Engine(circuit)
    np.testing.assert_array_equal(engine.counts(x.reshape(100, 24)), engine.counts(x))
    with pytest.raises(ShapeError, match=r"expected \(n, 2, 3, 4\) or \(n, 24\)"):
        engine.counts(x.reshape(100, 2, 12))


def test_streams_of_packed_bits():
    circuit = random_circuit(3, 48, 300, 60)
    bits = np.random.default_rng(0).random((200, 48)) < 0.5
    parts = Engine(circuit).predict_stream([PackedBits.pack(bits[:70]), PackedBits.pack(bits[70:])])
    np.testing.assert_array_equal(np.concatenate(list(parts)), slow_classes(circuit, bits))


def test_bad_options_are_refused_by_name():
    circuit = random_circuit(1)
    with pytest.raises(OptionError, match="threads is 0"):
        Engine(circuit, threads=0)
    with pytest.raises(OptionError, match="block is 100"):
        Engine(circuit, block=100)
    with pytest.raises(UnsupportedError, match="offsets"):
        Engine(Circuit(0, [], [], [], [], head=Head([], [1 << 61])))


def test_an_engine_serves_several_threads_at_once():
    from concurrent.futures import ThreadPoolExecutor

    circuit = random_circuit(9, 50, 800, 90)
    engine = Engine(circuit, threads=2)
    inputs = [random_features(circuit, 3000, seed) for seed in range(8)]
    expected = [engine.predict(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for result, wanted in zip(pool.map(engine.predict, inputs), expected, strict=True):
            np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda engine: pickle.loads(pickle.dumps(engine))])
def test_copies_and_pickles_give_the_same(copied):
    circuit = random_circuit(6, dtype="int16")
    x, packed = random_features(circuit, 100), PackedBits.pack(np.random.default_rng(0).random((100, 20)) < 0.5)
    for options in ({}, {"threads": 1, "block": 512}):
        engine = Engine(circuit, **options)
        expected = engine.counts(x), engine.counts(packed)
        same = copied(engine)
        assert (same.threads, same.block) == (engine.threads, engine.block)
        assert same.circuit.same_as(circuit)
        assert not same.circuit.gate.flags.writeable
        for found, wanted in zip((same.counts(x), same.counts(packed)), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_reprs_are_short_and_escaped():
    circuit = random_circuit(6, 784, 20_000, 3000, classes=2)
    head = Head(circuit.head.group, circuit.head.offset, class_names=("<b>", "&"))
    circuit = circuit.replace(encoder=Encoder(np.arange(784), np.ones(784), (1, 28, 28), "uint8"), head=head)
    engine = Engine(circuit, threads=2, block=512)
    assert repr(engine) == "Engine(gates=20,000, takes=uint8 [n, 1, 28, 28], gives=2 classes, threads=2, block=512)"
    page = engine._repr_html_()
    assert "&lt;b&gt;, &amp;" in page
    assert "<b>" not in page
    bare = Engine(circuit.replace(encoder=None, head=None), threads=2, block=512)
    assert "takes=bool [n, 784], gives=3,000 outputs" in repr(bare)


@pytest.mark.parametrize("given", ["mnist-8k", gatewright.load("monks-1")])
def test_what_is_no_circuit_is_refused_with_what_to_do(given):
    with pytest.raises(OptionError, match=r"an engine runs a Circuit, got .*gatewright\.load\(\.\.\.\)"):
        Engine(given)
