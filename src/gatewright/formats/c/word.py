"""Words of generated C: an unsigned integer, or 64-bit lanes that compilers put into vector registers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gatewright.errors import OptionError

_VECTORS = (128, 256, 512)
"""Bits of words by the vector extension of gcc and clang: on any processor, fast with registers of that size."""

WORDS = (8, 16, 32, 64, *_VECTORS)
"""Numbers of bits that a word can have: those of C99's integers, and of vectors."""

LANE = 64
"""Bits of a vector's lane."""


@dataclass(frozen=True)
class Word:
    """The type that holds one bit of each sample evaluated at a time.

    Attributes:
        bits: Samples it holds: sample s is bit s, least significant first; of a vector, bit `s % 64` of lane `s / 64`.
        name: Name of the type.

    Raises:
        OptionError: A word cannot have that number of bits.
    """

    bits: int
    name: str

    def __post_init__(self) -> None:
        if isinstance(self.bits, bool) or self.bits not in WORDS:
            raise OptionError(f"word is {self.bits!r}, expected one of {WORDS} bits")

    @property
    def vector(self) -> bool:
        """Whether it has lanes."""
        return self.bits in _VECTORS

    @property
    def zero(self) -> str:
        """All bits 0."""
        return f"({self.name}){{0}}" if self.vector else "0"

    @property
    def one(self) -> str:
        """All bits 1."""
        return f"~{self.zero}" if self.vector else f"({self.name})-1"

    @property
    def cast(self) -> str:
        """Cast for an expression in parentheses: every operator promotes words narrower than int."""
        return f"({self.name})" if self.bits < 32 else ""

    def bit(self, expression: str, sample: str) -> str:
        """Bit of a sample, 0 or 1, in an expression that is an array element."""
        if self.vector:
            return f"(({expression}[{sample} / {LANE}] >> ({sample} % {LANE})) & 1)"
        return f"(({expression} >> {sample}) & 1)"

    def packed(self, target: str, start: str, bit: str, step: str) -> Iterator[str]:
        """Statements that set `target` from a bit of each sample, for samples `s` from 0 to below `samples`.

        Args:
            target: Expression of the word.
            start: Statement to run before the first sample.
            bit: Expression of a sample's bit, 0 or 1.
            step: Statement that advances to the next sample.
        """
        lane, loop, place = self.name, "s < samples", target
        if self.vector:
            lane, loop, place = f"uint{LANE}_t", f"s < {LANE} && l * {LANE} + s < samples", f"{target}[l]"
        body = [
            f"{lane} bits = 0;",
            f"for (int32_t s = 0; {loop}; s++) {{",
            f"    const {lane} bit = {bit};",
            f"    bits = ({lane})(bits | ({lane})(bit << s));",
            f"    {step}",
            "}",
            f"{place} = bits;",
        ]
        yield start
        if self.vector:
            body = [f"for (int32_t l = 0; l < {self.bits // LANE}; l++) {{", *(f"    {line}" for line in body), "}"]
        yield from body

    def definition(self) -> Iterator[str]:
        """The typedef."""
        if not self.vector:
            yield f"typedef uint{self.bits}_t {self.name};"
            return
        yield "#if !defined(__GNUC__)"
        yield "#error words of several lanes need the vector extension of gcc or clang: export with word=64 instead"
        yield "#endif"
        yield "/* May lie at any multiple of 8 bytes, and share memory with arrays of uint64_t; aligned to its size"
        yield f" * ({self.bits // 8} bytes) it is fastest. */"
        attributes = f"vector_size({self.bits // 8}), aligned({LANE // 8}), may_alias"
        yield f"typedef uint{LANE}_t {self.name} __attribute__(({attributes}));"
