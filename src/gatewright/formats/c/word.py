"""Words of generated C: an unsigned integer, or 64-bit lanes that compilers put into vector registers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gatewright.errors import OptionError

SCALARS = (8, 16, 32, 64)
"""Bits of words that C99 has."""

VECTORS = (128, 256, 512)
"""Bits of words by the vector extension of gcc and clang: on any processor, fast with registers of that size."""

LANE = 64
"""Bits of a vector's lane."""


@dataclass(frozen=True)
class Word:
    """The type that holds one bit of each sample evaluated at a time.

    Attributes:
        bits: Samples it holds: sample s is bit s, least significant first; of a vector, bit `s % 64` of lane `s / 64`.
        name: Name of the type.
    """

    bits: int
    name: str

    @classmethod
    def of(cls, bits: int, model: str) -> Word:
        """The word type of a model.

        Raises:
            OptionError: A word cannot have that number of bits.
        """
        if isinstance(bits, bool) or bits not in SCALARS + VECTORS:
            raise OptionError(f"word is {bits!r}, expected one of {SCALARS + VECTORS} bits")
        return cls(bits, f"{model}_word")

    @property
    def vector(self) -> bool:
        """Whether it has lanes."""
        return self.bits in VECTORS

    @property
    def lanes(self) -> int:
        """Number of its integers."""
        return self.bits // LANE if self.vector else 1

    @property
    def lane(self) -> str:
        """Type of these integers."""
        return f"uint{LANE}_t" if self.vector else self.name

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

    def packed(self, target: str, start: list[str], bit: str, step: str) -> Iterator[str]:
        """Statements that set `target` from a bit of each sample, for samples `s` from 0 to below `samples`.

        Args:
            target: Expression of the word.
            start: Statements to run before the first sample.
            bit: Expression of a sample's bit, 0 or 1.
            step: Statement that advances to the next sample.
        """
        yield from start
        if not self.vector:
            yield f"{self.lane} bits = 0;"
            yield "for (int32_t s = 0; s < samples; s++) {"
            yield f"    const {self.lane} bit = {bit};"
            yield f"    bits = ({self.lane})(bits | ({self.lane})(bit << s));"
            yield f"    {step}"
            yield "}"
            yield f"{target} = bits;"
            return
        yield f"for (int32_t l = 0; l < {self.lanes}; l++) {{"
        yield f"    {self.lane} bits = 0;"
        yield f"    for (int32_t s = 0; s < {LANE} && l * {LANE} + s < samples; s++) {{"
        yield f"        const {self.lane} bit = {bit};"
        yield "        bits |= bit << s;"
        yield f"        {step}"
        yield "    }"
        yield f"    {target}[l] = bits;"
        yield "}"

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
