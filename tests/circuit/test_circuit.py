"""What a circuit, an encoder and a head look like, and that copies and pickles are the same."""

import copy
import pickle

import numpy as np
import pytest

from gatewright.circuit import Circuit, Encoder, Head
from gatewright.errors import FormatError
from support.circuits import random_circuit


def example(**changes):
    encoder = Encoder([0, 0, 1], [64, 128, 100], (2,), "uint8", ("width", "height"))
    head = Head([0, 1], [0, 0], 2.0, ("<b>", "large"))
    circuit = Circuit(3, [6, 12], [0, 3], [1, 3], [3, 4], encoder, head, {"data": "a & b", "<script>": "1"})
    return circuit.replace(**changes)


def test_repr_is_short_and_has_no_arrays():
    assert repr(example()) == (
        "Circuit(inputs=3, gates=2, outputs=2, encoder=Encoder(bits=3, shape=(2,), dtype='uint8'), "
        "head=Head(outputs=2, classes=2, tau=2))"
    )
    assert repr(example(encoder=None, head=None)) == "Circuit(inputs=3, gates=2, outputs=2)"
    assert repr(Head(np.arange(8), np.zeros(8), 1, places=(2, 2))) == "Head(outputs=8, classes=2, tau=1, places=(2, 2))"
    assert len(repr(random_circuit(0, n_gates=5000))) < 200


def test_html_escapes_every_text():
    html = example()._repr_html_()
    assert html.startswith("<table>")
    assert "<th>gates</th><td>2, 1 of them of two operands</td>" in html
    assert "uint8 features of shape (2,)" in html
    assert "<td>2 classes: &lt;b&gt;, large</td>" in html
    assert "<th>data</th><td>a &amp; b</td>" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<td>none</td>" in example(encoder=None)._repr_html_()
    assert "<td>2 classes</td>" in example(head=Head([0, 1], [0, 0]))._repr_html_()


@pytest.mark.parametrize(
    "make",
    [
        lambda text: Encoder([0], [1], (1,), "uint8", (text,)),
        lambda text: Head([0], [0], class_names=(text,)),
        lambda text: example(metadata={text: "x"}),
        lambda text: example(metadata={"x": text}),
    ],
)
def test_text_that_no_file_can_hold_is_refused(make):
    make("whole \U0001f600")
    with pytest.raises(FormatError, match="half a character"):
        make("half \ud83d")


@pytest.mark.parametrize("copied", [lambda c: pickle.loads(pickle.dumps(c)), copy.deepcopy, copy.copy])
def test_copies_are_the_same_and_read_only(copied):
    for circuit in (example(), example(encoder=None, head=None), random_circuit(3)):
        again = copied(circuit)
        assert type(again) is Circuit
        assert again.same_as(circuit)
        assert not again.gate.flags.writeable
        with pytest.raises(TypeError):
            again.metadata["x"] = "y"
        if circuit.encoder is not None:
            assert not copied(circuit.encoder).threshold.flags.writeable
            assert np.array_equal(copied(circuit.head).group, circuit.head.group)
