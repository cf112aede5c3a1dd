"""BLIF netlists, written, and read with lookup tables of any size: for ABC, yosys, SIS and VTR."""

from gatewright.formats.blif.reader import INPUT_NAMES, OUTPUT_NAMES, from_blif, read_blif, read_tables
from gatewright.formats.blif.table_writer import tables_to_blif
from gatewright.formats.blif.writer import to_blif

__all__ = ["INPUT_NAMES", "OUTPUT_NAMES", "from_blif", "read_blif", "read_tables", "tables_to_blif", "to_blif"]
