"""Heart beats of the MIT-BIH Arrhythmia Database, by AAMI class, train and test from different patients.

Every step is integer arithmetic that a microcontroller can do as the beats come in:

- Lead MLII, 360 Hz, 200 units per millivolt. Three neighbouring samples are added (120 Hz, 1/600 mV).
- From each sum the baseline is taken: the sum of the 128 sums around the beat (from 64 before to 63 after), shifted
  right by 7. A window that leaves the record sees its first or last sample repeated.
- A beat is 96 of these, from 36 sums (0.3 s) before the annotated peak to 59 (0.49 s) after it.
- Four rhythm features follow: the intervals to the previous and to the next beat in samples of 1/360 s, at most 1,080
  (3 s), and both as parts of the recent rhythm: 256 times the interval, divided (rounding down) by the mean of the
  last eight previous intervals, this one included. The first beat's previous interval is its next one, and the last
  beat's next interval is its previous one.

`mit-bih-2d` has the same beats as pictures for convolutions: one row each for the previous beat, the beat itself and the
next one, with their 96 sums and, less 256 so that they lie around 0 as the waveform does, their four rhythm features. The
neighbour that the first or the last beat of a record lacks is the beat itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.data.cache import Arrays, cached
from gatewright.data.dataset import Dataset, DatasetInfo, Reader, Split
from gatewright.data.known_files import read
from gatewright.errors import DataError

Int64Array = npt.NDArray[np.int64]

RECORDS = {
    "train": (101, 106, 108, 109, 112, 115, 116, 119, 122, 201, 205, 207, 208, 209, 215, 220, 230),
    "validation": (114, 118, 124, 203, 223),
    "test": (
        *(100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210),
        *(212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234),
    ),
}
"""Records of each part: train and validation are de Chazal's DS1, test is DS2; paced 102 104 107 217 are not used."""

SYMBOLS = {**dict(enumerate("NLRaVFJASEj/Q", 1)), 34: "e", 38: "f"}
"""Symbols of the annotation types that are beats."""

CLASSES = {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}
"""The AAMI classes, with the symbols each contains."""

_CLASS_OF = {symbol: k for k, symbols in enumerate(CLASSES.values()) for symbol in symbols}
_SKIP, _NUM, _SUB, _CHN, _AUX = range(59, 64)
_SECOND_LEAD = {114}  # whose MLII is lead 1; it is lead 0 elsewhere
_WINDOW = np.arange(-36, 60)
_BASELINE = np.arange(-64, 64)
_RR_LIMIT = 1_080
_RR_MEMORY = 8
_RR_NAMES = ("rr-previous", "rr-next", "rr-previous-ratio", "rr-next-ratio")


def parse_signal(data: bytes, where: str) -> npt.NDArray[np.int16]:
    """Parse a WFDB signal file of format 212 with two leads: three bytes hold one 12-bit sample of each.

    Returns:
        int16 [2, samples], in -2048..2047.

    Raises:
        DataError: Its length is not a multiple of three.
    """
    if len(data) % 3:
        raise DataError(f"{where} has {len(data)} bytes, which is no multiple of 3, as format 212 needs")
    b0, b1, b2 = np.frombuffer(data, np.uint8).reshape(-1, 3).T.astype(np.int16)
    leads = np.stack([(b1 & 15) << 8 | b0, (b1 >> 4) << 8 | b2])
    return np.where(leads > 2047, leads - 4096, leads).astype(np.int16)


def parse_annotations(data: bytes, where: str) -> tuple[Int64Array, Int64Array]:
    """Parse a WFDB annotation file: 16-bit words, the type in the high 6 bits and the time step in the low 10.

    Returns:
        Sample numbers and types of all annotations, each int64 [annotations].

    Raises:
        DataError: It ends before its end mark.
    """
    words = np.frombuffer(data[: len(data) // 2 * 2], "<u2").tolist()
    times: list[int] = []
    types: list[int] = []
    at, now = 0, 0
    while at < len(words) and words[at]:
        kind, step = divmod(words[at], 1024)
        at += 1
        if kind == _SKIP:
            high, low = words[at : at + 2] if at + 2 <= len(words) else (0, 0)
            now += (high << 16 | low) - (1 << 32 if high >> 15 else 0)
            at += 2
        elif kind == _AUX:
            at += (step + 1) // 2
        elif kind not in {_NUM, _SUB, _CHN}:
            now += step
            times.append(now)
            types.append(kind)
    if at >= len(words):
        raise DataError(f"{where} has no end mark: it is cut off after {len(data)} bytes")
    return np.array(times, np.int64), np.array(types, np.int64)


def beats(times: Int64Array, types: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return sample numbers and AAMI classes of those annotations that are beats, each int64 [beats]."""
    kinds = np.full(64, -1)
    for kind, symbol in SYMBOLS.items():
        kinds[kind] = _CLASS_OF[symbol]
    classes = kinds[types]
    return times[classes >= 0], classes[classes >= 0]


def waveforms(lead: npt.NDArray[np.integer[Any]], peaks: Int64Array) -> npt.NDArray[np.int16]:
    """Cut the beats out of a lead, see the module's description.

    Args:
        lead: Samples at 360 Hz, integer [samples].
        peaks: int64 [beats], sample number of each beat.

    Returns:
        int16 [beats, 96], in 1/600 mV around the baseline.
    """
    offsets = 3 * _BASELINE[:, None] + np.array([-1, 0, 1])
    around = np.clip(peaks[:, None] + offsets.reshape(-1), 0, len(lead) - 1)
    sums = lead[around].reshape(len(peaks), *offsets.shape).sum(axis=2, dtype=np.int32)
    start = int(_WINDOW[0] - _BASELINE[0])
    level = sums.sum(axis=1, keepdims=True) >> 7
    cut: npt.NDArray[np.int16] = (sums[:, start : start + len(_WINDOW)] - level).astype(np.int16)
    return cut


def rhythm(peaks: Int64Array) -> npt.NDArray[np.int16]:
    """Return the four rhythm features of consecutive beats, int16 [beats, 4], see the module's description."""
    if len(peaks) < 2:
        return np.zeros((len(peaks), 4), np.int16)
    # Annotations may share a sample; an interval of 0 would leave nothing to divide by.
    steps = np.clip(np.diff(peaks), 1, _RR_LIMIT)
    previous = np.concatenate([steps[:1], steps])
    following = np.concatenate([steps, steps[-1:]])
    total = np.cumsum(np.concatenate([[0], previous]))
    last = np.arange(1, len(peaks) + 1)
    count = np.minimum(last, _RR_MEMORY)
    recent = total[last] - total[last - count]
    ratios = [np.minimum(256 * count * rr // recent, np.iinfo(np.int16).max) for rr in (previous, following)]
    return np.stack([previous, following, *ratios], axis=1).astype(np.int16)


def pictures(rows: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Set each of consecutive beats between its neighbours, see the module's description.

    Args:
        rows: int16 [beats, 100], waveform and rhythm.

    Returns:
        int16 [beats, 1, 3, 100].
    """
    levelled = rows.copy()
    levelled[:, len(_WINDOW) :] -= 256
    place = np.arange(len(rows))
    neighbours = [np.maximum(place - 1, 0), place, np.minimum(place + 1, len(rows) - 1)]
    return np.stack([levelled[beats] for beats in neighbours], axis=1)[:, None]


def _decode(info: DatasetInfo, root: Path) -> Arrays:
    contents = read(root, info.files)
    arrays: Arrays = {}
    for part, records in RECORDS.items():
        xs, ys = [], []
        for record in records:
            annotations, signal = f"mitdb/{record}.atr", f"mitdb/{record}.dat"
            peaks, classes = beats(*parse_annotations(contents[annotations], annotations))
            lead = parse_signal(contents.pop(signal), signal)[1 if record in _SECOND_LEAD else 0]
            xs.append(np.concatenate([waveforms(lead, peaks), rhythm(peaks)], axis=1))
            ys.append(classes)
        arrays[f"{part}_x"], arrays[f"{part}_y"] = np.concatenate(xs), np.concatenate(ys)
        arrays[f"{part}_beats"] = np.array([len(y) for y in ys])
    return arrays


def _read(info: DatasetInfo, root: Path) -> Dataset:
    arrays = cached("mit-bih", 2, info.files, lambda: _decode(info, root))
    names = (*(f"ecg{step:+d}" for step in _WINDOW), *_RR_NAMES)
    x = {part: arrays[f"{part}_x"] for part in RECORDS}
    if info.shape != (len(names),):
        x = {part: _pictures(arrays, part) for part in RECORDS}
        names = tuple(f"{row}:{name}" for row in ("previous", "this", "next") for name in names)
    return info.dataset(*(Split(x[part], arrays[f"{part}_y"]) for part in RECORDS), feature_names=names)


def _pictures(arrays: Arrays, part: str) -> npt.NDArray[np.int16]:
    """The pictures of a part, record by record, so that no beat gets a neighbour from another patient."""
    cuts = np.cumsum(arrays[f"{part}_beats"])[:-1]
    return np.concatenate([pictures(record) for record in np.split(arrays[f"{part}_x"], cuts)])


def _reader(name: str, title: str, shape: tuple[int, ...]) -> Reader:
    return Reader(
        DatasetInfo(
            name=name,
            title=title,
            kind="signal",
            shape=shape,
            dtype="int16",
            class_names=tuple(CLASSES),
            train=39_660,
            validation=11_361,
            test=49_712,
            split="by patient: test is de Chazal's DS2; validation is five records of DS1 "
            f"({', '.join(map(str, RECORDS['validation']))}), train the other 17",
            source="https://physionet.org/content/mitdb/1.0.0/",
            licence="ODC-By 1.0",
            citation="Moody, Mark: The impact of the MIT-BIH Arrhythmia Database, IEEE Eng. in Med. and Biol. "
            "20(3):45-50, 2001; Goldberger et al.: PhysioBank, PhysioToolkit, and PhysioNet, Circulation "
            "101(23):e215-e220, 2000; split: de Chazal, O'Dwyer, Reilly, IEEE Trans. Biomed. Eng. 51(7), 2004",
            files=tuple(
                f"mitdb/{number}.{kind}" for part in RECORDS.values() for number in part for kind in ("atr", "dat")
            ),
        ),
        _read,
    )


_FEATURES = len(_WINDOW) + len(_RR_NAMES)

READERS = (
    _reader("mit-bih", "heart beats of an electrocardiogram, by AAMI class", (_FEATURES,)),
    _reader("mit-bih-2d", "the same beats as pictures: each between its neighbours", (1, 3, _FEATURES)),
)
