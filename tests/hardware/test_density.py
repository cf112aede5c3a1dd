"""Placing with room: which device, and which of its tables stay empty."""

import json
from collections import Counter

import pytest

from gatewright.errors import ToolError
from gatewright.hardware.density import choose_device, keep_empty
from gatewright.hardware.targets import TARGETS

SMALL, LARGE = TARGETS["ecp5"].devices


@pytest.mark.parametrize(
    ("cells", "device"), [(1, SMALL), (5_464, SMALL), (5_465, LARGE), (18_819, LARGE), (83_640, LARGE)]
)
def test_the_smallest_device_with_room_is_chosen(cells, device):
    assert choose_device(TARGETS["ecp5"].devices, cells) is device


def test_where_nothing_has_room_it_is_said():
    with pytest.raises(ToolError, match=r"at least 83,641 logic cells, but LFE5U-85F-6 has 83,640"):
        choose_device(TARGETS["ecp5"].devices, 83_641)


@pytest.mark.parametrize(
    ("device", "cells", "used"), [(SMALL, 100, 3), (SMALL, 5_464, 3), (SMALL, 9_000, 5), (LARGE, 18_819, 3)]
)
def test_so_many_tables_of_every_tile_stay_empty(tmp_path, device, cells, used):
    file = tmp_path / "top.json"
    file.write_text(json.dumps({"modules": {"top": {"cells": {"mine": {"type": "LUT4"}}}}}))
    empty = keep_empty(file, device, cells)
    found = json.loads(file.read_text())["modules"]["top"]["cells"]
    assert found.pop("mine") == {"type": "LUT4"}
    assert len(found) == empty == device.cells * (8 - used) // 8
    sites = [cell["attributes"]["BEL"] for cell in found.values()]
    assert len(set(sites)) == empty
    assert set(Counter(site.rpartition("/")[0] for site in sites).values()) == {8 - used}
    assert all(cell["connections"] == {"Z": []} for cell in found.values())


@pytest.mark.parametrize(("device", "cells"), [(TARGETS["ice40"].devices[0], 100), (LARGE, 60_000)])
def test_a_placer_is_left_alone_where_there_is_no_room(tmp_path, device, cells):
    file = tmp_path / "top.json"
    file.write_text(json.dumps({"modules": {"top": {"cells": {}}}}))
    assert keep_empty(file, device, cells) == 0
