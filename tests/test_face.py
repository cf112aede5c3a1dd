"""What `import gatewright` promises: names, their documentation, and a quick start."""

from __future__ import annotations

import ast
import doctest
import inspect
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gatewright as gw
from support.commands import seconds

ROOT = Path(__file__).parent.parent


def names_for_type_checkers():
    """{module: names} of the block that only type checkers read."""
    tree = ast.parse(Path(gw.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    found = {}
    for line in block.body:
        assert isinstance(line, ast.ImportFrom)
        for alias in line.names:
            assert alias.asname == alias.name, "a name is re-exported by `import X as X`"
            found.setdefault(line.module, set()).add(alias.name)
    return found


def test_people_and_type_checkers_see_the_same_names():
    assert names_for_type_checkers() == {module: set(names) for module, names in gw._NAMES.items()}
    assert len(set(gw.__all__)) == len(gw.__all__)
    assert set(gw.__all__) <= set(dir(gw))


def test_names_are_sorted():
    assert list(gw._NAMES) == sorted(gw._NAMES)
    for names in gw._NAMES.values():
        assert list(names) == sorted(names)


@pytest.mark.parametrize("name", gw.__all__)
def test_every_name_is_what_its_module_defines_and_is_no_module(name):
    value = getattr(gw, name)
    assert not inspect.ismodule(value)
    module = next(module for module, names in gw._NAMES.items() if name in names)
    assert value is getattr(sys.modules[module], name)


def test_importing_every_module_shadows_no_name():
    """A submodule sets an attribute of its package, so it must not have the name of something promised."""
    modules = {path.stem for path in Path(gw.__file__).parent.iterdir() if path.suffix in {"", ".py"}}
    assert not modules & set(gw.__all__)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'deepen'"):
        _ = gw.deepen


@pytest.mark.parametrize("name", gw.__all__)
def test_every_name_is_documented_by_an_example_that_works(name, tmp_path, monkeypatch):
    value = getattr(gw, name)
    assert inspect.getdoc(value), f"{name} has no docstring"
    monkeypatch.chdir(tmp_path)
    found = [test for test in doctest.DocTestFinder().find(value, name, globs={}) if test.examples]
    assert any(test.name == name for test in found), f"the docstring of {name} has no example"
    runner = doctest.DocTestRunner(verbose=False)
    report = []
    for test in found:
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


def test_the_import_is_quick():
    taken = [seconds(sys.executable, "-c", code) for code in ("import gatewright", "pass")]
    assert taken[0] - taken[1] <= 0.05


def test_the_import_loads_nothing_heavy():
    code = "import gatewright, sys; print([m for m in ('torch', 'numpy', 'numba', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_first_import_is_next_to_nothing():
    """Until `gatewright.__main__` is reached, Ctrl-C leaves a traceback; -S: site may import anything."""
    code = "import gatewright.__main__, sys; print([m for m in ('typing', 're', 'collections') if m in sys.modules])"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-S", "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_stated_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/gatewright/__init__.py"
    assert f"## [{gw.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_arrows_between_the_rooms_point_down():
    """The contracts in pyproject.toml; imports inside of functions count."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
