"""MIT-BIH: the file formats, the beats cut out of them, and the real files' known figures."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gatewright.data import known_files as files
from gatewright.data import mitbih
from gatewright.errors import DataError

SAMPLES = st.integers(-2048, 2047)


@settings(deadline=None)
@given(hnp.arrays(np.int16, st.tuples(st.just(2), st.integers(0, 30)), elements=SAMPLES))
def test_a_packed_signal_is_unpacked(leads):
    packed = bytearray()
    for first, second in leads.T.tolist():
        one, two = first % 4096, second % 4096
        packed += bytes((one & 255, (one >> 8) | (two >> 8) << 4, two & 255))
    parsed = mitbih.parse_signal(bytes(packed), "x")
    assert np.array_equal(parsed, leads)
    assert parsed.dtype == np.int16


def test_a_signal_of_broken_length_is_refused():
    with pytest.raises(DataError, match="where has 4 bytes"):
        mitbih.parse_signal(b"1234", "where")


def word(kind, step):
    return (kind << 10 | step).to_bytes(2, "little")


def skip(step):
    high, low = divmod(step % (1 << 32), 1 << 16)
    return word(59, 0) + high.to_bytes(2, "little") + low.to_bytes(2, "little")


events = st.lists(
    st.one_of(
        st.tuples(st.just("beat"), st.integers(1, 49), st.integers(0, 1023)),
        st.tuples(st.just("skip"), st.integers(-(2**31), 2**31 - 1), st.none()),
        st.tuples(st.just("mark"), st.integers(60, 62), st.integers(0, 1023)),
        st.tuples(st.just("text"), st.binary(max_size=9), st.none()),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(events)
def test_annotations_are_read_back(events):
    data, now, expected = b"", 0, []
    for what, one, two in events:
        if what == "beat":
            data += word(one, two)
            now += two
            expected.append((now, one))
        elif what == "skip":
            data += skip(one)
            now += one
        elif what == "mark":
            data += word(one, two)
        else:
            data += word(63, len(one)) + one + b"\0" * (len(one) % 2)
    times, types = mitbih.parse_annotations(data + b"\0\0" + b"rest that nobody reads", "x")
    assert list(zip(times.tolist(), types.tolist(), strict=True)) == expected
    with pytest.raises(DataError, match=f"x has no end mark: it is cut off after {len(data)} bytes"):
        mitbih.parse_annotations(data, "x")


def test_beats_are_chosen_and_classed():
    symbols = {symbol: kind for kind, symbol in mitbih.SYMBOLS.items()}
    order = "NLRejAaJSVEF/fQ"
    types = np.array([14, 28, *(symbols[symbol] for symbol in order), 22])  # noise, rhythm change, beats, comment
    times = np.arange(len(types)) * 100
    chosen, classes = mitbih.beats(times, types)
    assert chosen.tolist() == times[2:-1].tolist()
    assert "".join("NSVFQ"[k] for k in classes) == "NNNNNSSSSVVFQQQ"


def slow_beat(lead, peak):
    """One beat, in plain integers, as the module's description has it."""

    def sample(at):
        return int(lead[min(max(at, 0), len(lead) - 1)])

    def total(j):
        return sum(sample(peak + 3 * j + d) for d in (-1, 0, 1))

    baseline = sum(total(j) for j in range(-64, 64)) >> 7
    return [total(j) - baseline for j in range(-36, 60)]


@settings(deadline=None, max_examples=40)
@given(
    hnp.arrays(np.int16, st.integers(1, 600), elements=SAMPLES),
    st.lists(st.integers(0, 599), min_size=1, max_size=3),
)
def test_waveforms_are_the_plain_integer_arithmetic(lead, peaks):
    peaks = np.array([peak % len(lead) for peak in peaks])
    cut = mitbih.waveforms(lead, peaks)
    assert cut.dtype == np.int16
    assert cut.tolist() == [slow_beat(lead, peak) for peak in peaks.tolist()]


def test_waveforms_ignore_the_level_and_cannot_overflow():
    lead = (np.sin(np.arange(900) / 7) * 500).astype(np.int16)
    assert np.array_equal(
        mitbih.waveforms(lead, np.array([450])), mitbih.waveforms(lead + np.int16(700), np.array([450]))
    )
    lead = np.full(900, -2048, np.int16)
    lead[449:452] = 2047
    assert mitbih.waveforms(lead, np.array([450])).max() == 3 * 2047 - ((127 * 3 * -2048 + 3 * 2047) >> 7)


def slow_rhythm(peaks):
    """The rhythm features of all beats, in plain integers."""
    steps = [min(max(after - before, 1), 1080) for before, after in itertools.pairwise(peaks)]
    rows = []
    past = []
    for i in range(len(peaks)):
        before = steps[i - 1] if i else steps[0]
        after = steps[i] if i < len(steps) else steps[-1]
        past = [*past, before][-8:]
        rows.append([before, after, *(min(256 * len(past) * rr // sum(past), 32767) for rr in (before, after))])
    return rows


@settings(deadline=None)
@given(st.lists(st.integers(0, 40_000), min_size=2, max_size=40))
def test_rhythm_is_the_plain_integer_arithmetic(steps):
    peaks = np.cumsum(steps)
    found = mitbih.rhythm(peaks)
    assert found.dtype == np.int16
    assert found.tolist() == slow_rhythm(peaks.tolist())


def test_a_steady_rhythm_is_256_and_a_lone_beat_has_none():
    assert mitbih.rhythm(np.arange(20) * 300)[:, 2:].tolist() == [[256, 256]] * 20
    assert mitbih.rhythm(np.array([5])).tolist() == [[0, 0, 0, 0]]


def test_pictures_set_beats_between_their_neighbours():
    rows = np.arange(300, dtype=np.int16).reshape(3, 100)
    found = mitbih.pictures(rows)
    assert found.shape == (3, 1, 3, 100)
    assert found[:, 0, :, 0].tolist() == [[0, 0, 100], [0, 100, 200], [100, 200, 200]]
    assert found[1, 0, 1, 95:].tolist() == [195, 196 - 256, 197 - 256, 198 - 256, 199 - 256]
    assert rows[0, 99] == 99
    assert mitbih.pictures(rows[:1])[0, 0, :, 5].tolist() == [5, 5, 5]


def test_records_are_split_by_patient_as_published():
    ds1 = "101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230"
    ds2 = "100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234"
    assert sorted(mitbih.RECORDS["train"] + mitbih.RECORDS["validation"]) == [int(r) for r in ds1.split()]
    assert sorted(mitbih.RECORDS["test"]) == [int(r) for r in ds2.split()]


def test_real_annotations_of_all_48_records(real_root):
    by_symbol = dict.fromkeys(mitbih.SYMBOLS.values(), 0)
    by_class = np.zeros(5, int)
    for record in (real_root / "mitdb" / "RECORDS").read_text().split():
        times, types = mitbih.parse_annotations((real_root / "mitdb" / f"{record}.atr").read_bytes(), record)
        assert 0 <= times.min() <= times.max() < 650_000
        for kind, symbol in mitbih.SYMBOLS.items():
            by_symbol[symbol] += int(np.count_nonzero(types == kind))
        by_class += np.bincount(mitbih.beats(times, types)[1], minlength=5)
    known = "N 75052, L 8075, R 7259, e 16, j 229, A 2546, a 150, J 83, S 2, V 7130, E 106, F 803, / 7028, f 982, Q 33"
    assert {f"{symbol} {count}" for symbol, count in by_symbol.items()} == set(known.split(", "))
    assert by_class.tolist() == [90_631, 2_781, 7_236, 803, 8_043]


@pytest.mark.parametrize("record", [100, 114, 208])
def test_real_signals_match_their_headers(real_root, record):
    path = f"mitdb/{record}.dat"
    leads = mitbih.parse_signal(files.read(real_root, [path])[path], path)
    assert leads.shape == (2, 650_000)
    header = (real_root / "mitdb" / f"{record}.hea").read_text().splitlines()
    for lead, line in zip(leads, header[1:3], strict=True):
        _, _, _, _, _, first, checksum, _, _ = line.split()
        assert lead[0] == int(first)
        assert (int(lead.sum(dtype=np.int64)) - int(checksum)) % 65536 == 0


def test_real_headers_say_that_the_lead_is_mlii(real_root):
    for record in itertools.chain(*mitbih.RECORDS.values()):
        header = (real_root / "mitdb" / f"{record}.hea").read_text().splitlines()
        assert header[2 if record in mitbih._SECOND_LEAD else 1].split()[-1] == "MLII"


def test_real_beats(real_data, real_root):
    data = real_data("mit-bih")
    assert data.train.x.dtype == np.int16
    ds1 = np.bincount(data.train.y) + np.bincount(data.validation.y)
    ds2 = np.bincount(data.test.y)
    # All beats of the 44 records; the published counts of the split differ by single beats between papers.
    assert (ds1 + ds2).tolist() == [90_125, 2_781, 7_009, 803, 15]
    assert ds2.tolist() == [44_259, 1_837, 3_221, 388, 7]
    # In lead MLII a normal beat stands upright: its highest point is near the annotated peak.
    names = list(data.feature_names)
    normal = data.train.x[data.train.y == 0][:, :96].astype(np.int64)
    middle = names.index("ecg+0")
    assert abs(int(np.median(normal, axis=0).argmax()) - middle) <= 1
    # A supraventricular beat is early by definition.
    early = data.train.x[data.train.y == 1][:, names.index("rr-previous-ratio")]
    assert np.median(early) < 220 < np.median(data.train.x[data.train.y == 0][:, names.index("rr-previous-ratio")])
    # The first beats of record 101, by the slow arithmetic.
    contents = files.read(real_root, ["mitdb/101.atr", "mitdb/101.dat"])
    peaks, _ = mitbih.beats(*mitbih.parse_annotations(contents["mitdb/101.atr"], "x"))
    lead = mitbih.parse_signal(contents["mitdb/101.dat"], "x")[0]
    for i in (0, 1, 2, 700, len(peaks) - 1):
        assert data.train.x[i, :96].tolist() == slow_beat(lead, int(peaks[i]))
        assert data.train.x[i, 96:].tolist() == slow_rhythm(peaks.tolist())[i]


def test_real_pictures_are_the_same_beats(real_data):
    table, pictures = real_data("mit-bih"), real_data("mit-bih-2d")
    for part in ("train", "validation", "test"):
        x, rows = pictures.split(part).x, table.split(part).x
        assert np.array_equal(pictures.split(part).y, table.split(part).y)
        assert np.array_equal(x[:, 0, 1, :96], rows[:, :96])
        assert np.array_equal(x[:, 0, 1, 96:], rows[:, 96:] - 256)
    # Record 106 follows 101 in train: its first beat has no neighbour before it, nor the last one of 101 behind it.
    first = 1_865
    assert np.array_equal(pictures.train.x[first, 0, 0], pictures.train.x[first, 0, 1])
    assert np.array_equal(pictures.train.x[first - 1, 0, 2], pictures.train.x[first - 1, 0, 1])
    assert np.array_equal(pictures.train.x[first + 1, 0, 0], pictures.train.x[first, 0, 1])
