"""What commands print on a narrow terminal, and what they do in the first moments."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest
from rich.cells import cell_len

from gatewright.cli import output
from support.commands import gatewright


@pytest.fixture
def narrow(monkeypatch):
    """`narrow(width)`: results go to a terminal of that width."""

    def go(width):
        made = output.Console(highlight=False, markup=False, emoji=False, width=width, color_system=None)
        monkeypatch.setattr(output, "out", lambda: made)
        return made

    return go


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("command", [["zoo"], ["presets"], ["data"], ["eval", "digits", "--dataset", "digits"]])
def test_tables_fit_and_numbers_are_whole(narrow, command, width):
    console = narrow(width)
    with console.capture() as captured:
        assert gatewright(*command).code == 0
    lines = captured.get().splitlines()
    assert max(map(cell_len, lines)) <= width
    assert not [line for line in lines if re.search(r"│ *[\d,]*,\d{0,2} *│", line)], "a number is cut"


def test_what_has_no_room_is_said(narrow):
    console = narrow(80)
    with console.capture() as captured:
        gatewright("zoo")
    said = " ".join(captured.get().split())
    assert "no room for: depth, bytes, licence of the data (all: --json, or a wider terminal)" in said
    assert "breast-cancer-narrow" in said
    assert "1,167,086" in said


@pytest.mark.parametrize(("width", "matrix"), [(50, False), (200, True)])
def test_confusions_are_a_matrix_where_there_is_room(narrow, width, matrix):
    console = narrow(width)
    with console.capture() as captured:
        gatewright("eval", "digits", "--dataset", "digits")
    said = " ".join(captured.get().split())
    assert ("as 9" in said) == matrix
    assert ("most frequent of" in said) != matrix


def test_a_wide_table_can_be_all_or_nothing(narrow):
    console = narrow(20)
    with console.capture() as captured:
        assert not output.show_rows(["a", "b", "c"], [("long text", 10**9, 10**9)], whole=True)
    assert captured.get() == ""
    with console.capture() as captured:
        assert output.show_rows(["a"], [("x",)], whole=True)
    assert "x" in captured.get()


@pytest.mark.parametrize("after", [0.06, 0.12, 0.25])
def test_ctrl_c_in_the_first_moments_leaves_no_traceback(after):
    code = (
        "import sys; sys.stdout.write('.'); sys.stdout.flush(); from gatewright.__main__ import main; "
        "sys.argv = ['gatewright', 'zoo']; main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if b"Traceback" in err:  # Python itself was still loading the package's first file
        assert b"__main__.py" not in err
    else:
        assert process.returncode in {0, 130}


def test_the_bar_says_that_the_finished_run_is_evaluated(tiny, tmp_path):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gatewright", "train", tiny.config, "--out", tmp_path / "r", "--steps", "3"],
        stdout=subprocess.DEVNULL, stderr=slave, env={**os.environ, "COLUMNS": "150", "TERM": "xterm"},
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 1 << 16)
        except OSError:  # the terminal is closed
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait() == 0
    assert b"evaluating ..." in shown
