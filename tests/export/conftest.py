"""Foreign tools that the exports are checked with."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def tool():
    """`tool(name)`: path of a program. Without it a test fails where CI=true, and is skipped elsewhere."""

    def find(name):
        path = shutil.which(name)
        if path is None:
            why = f"{name} is not installed; script/test installs it where it may"
            if os.environ.get("CI", "").lower() == "true":
                pytest.fail(why)
            pytest.skip(why)
        return path

    return find


@pytest.fixture
def run():
    """`run(*command, stdin=bytes)`: standard output of a program that must succeed in silence on standard error."""

    def call(*command, stdin=b"", cwd=None, quiet=True):
        done = subprocess.run([str(part) for part in command], input=stdin, capture_output=True, cwd=cwd, check=False)
        assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout.decode()}\n{done.stderr.decode()}"
        assert not quiet or not done.stderr, done.stderr.decode()
        return done.stdout.decode()

    return call
