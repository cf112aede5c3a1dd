"""Compiled code that numba keeps is found where numba keeps it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gatewright.runtime.compiled import is_compiled

MODULE = "from numba import njit\n\n\n@njit(cache=True)\ndef twice(x):\n    return 2 * x\n"


@pytest.mark.parametrize("named", [False, True])
def test_what_numba_keeps_is_found(tmp_path, monkeypatch, named):
    package = tmp_path / "some_kernels"
    package.mkdir()
    (package / "double.py").write_text(MODULE)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    if named:
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    assert not is_compiled(package)
    code = f"import sys; sys.path.insert(0, {str(package)!r}); import double; assert double.twice(2) == 4"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
    assert is_compiled(package)
    other = tmp_path / "other_kernels"
    other.mkdir()
    assert not is_compiled(other)
