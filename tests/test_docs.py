"""The README's and the guides' code blocks run as they are.

Blocks of one page run in order in one folder; its Python blocks share their names, as a reader would run them in one
session. A block is left alone if the comment `<!-- not run: reason -->` stands on the line above it.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import gatewright

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^(?P<above>[^\n]*)\n```(?P<language>python|bash)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: \S.* -->")


class Block(NamedTuple):
    line: int
    language: str
    code: str


def blocks(text):
    return [
        Block(text.count("\n", 0, match.start("code")) + 1, match["language"], match["code"])
        for match in BLOCK.finditer("\n" + text)
        if not NOT_RUN.fullmatch(match["above"].strip())
    ]


def script(page):
    """All blocks of a page as one Python program, so that heavy imports are paid once."""
    lines = ["import subprocess"]
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}, line {block.line}"
        if block.language == "python":
            lines.append(f"exec(compile({block.code!r}, {where!r}, 'exec'))")
        else:
            lines.append(f"print({where!r}, flush=True)")
            lines.append(f"subprocess.run(['bash', '-euo', 'pipefail', '-c', {block.code!r}], check=True)")
    return "\n".join(lines)


def with_blocks():
    return [page for page in PAGES if blocks(page.read_text(encoding="utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks(), ids=lambda page: page.name)
def test_code_blocks_run(page, tmp_path):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-c", script(page)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_the_api_page_lists_every_promised_name():
    listed = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(name.rpartition(".")[2] for name in listed) == sorted(gatewright.__all__)
    for name in listed:
        module, _, attribute = name.rpartition(".")
        assert getattr(importlib.import_module(module), attribute) is getattr(gatewright, attribute)


def test_blocks_are_found_in_order():
    text = "# T\n\n```bash\necho 1\n```\nthen\n```python\nx = 1\n```\n```text\nno\n```\n"
    assert blocks(text) == [Block(4, "bash", "echo 1\n"), Block(8, "python", "x = 1\n")]


def test_blocks_may_say_why_they_are_not_run():
    text = "<!-- not run: needs a board -->\n```bash\nfalse\n```\n\n<!-- not run: -->\n```bash\ntrue\n```\n"
    assert [block.code for block in blocks(text)] == ["true\n"]


def test_a_failing_block_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    done = subprocess.run([sys.executable, "-c", script(page)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "page.md, line 6" in done.stderr
    page.write_text("```bash\nfalse\ntrue\n```\n")
    assert subprocess.run([sys.executable, "-c", script(page)], capture_output=True, check=False).returncode != 0


def test_the_readme_shows_what_was_measured():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "tables.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
