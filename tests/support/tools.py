"""Fixtures for foreign tools: missed, a test fails where CI=true and is skipped elsewhere."""

import os
import shutil
import subprocess

import pytest

from gatewright.runtime.abc import find_abc, run_abc


def missing(what):
    """Fail or skip, as a tool is not there."""
    why = f"{what} is not installed; script/test installs it where it may"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def tool():
    """`tool(name)`: path of a program."""

    def find(name):
        return shutil.which(name) or missing(name)

    return find


@pytest.fixture
def abc():
    """`abc(script, folder)`: what ABC prints."""
    if find_abc() is None:
        missing("ABC (package pyosys)")
    return lambda script, folder: run_abc(script, folder, 60)


@pytest.fixture
def run():
    """`run(*command, stdin=bytes)`: standard output of a program that must succeed in silence on standard error."""

    def call(*command, stdin=b"", cwd=None, quiet=True):
        done = subprocess.run([str(part) for part in command], input=stdin, capture_output=True, cwd=cwd, check=False)
        assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout.decode()}\n{done.stderr.decode()}"
        assert not quiet or not done.stderr, done.stderr.decode()
        return done.stdout.decode()

    return call
