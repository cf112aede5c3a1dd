"""Real data where there are any, and small fake data roots for everything that can go wrong."""

import functools
import gzip
import hashlib
import io
import lzma
import os
import shutil
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gatewright.data import cache, download, load_dataset
from gatewright.data import known_files as files
from gatewright.data.known_files import KnownFile


def _real_root():
    root = os.environ.get("GATEWRIGHT_DATA")
    return Path(root) if root else None


def pytest_collection_modifyitems(config, items):
    """Tests of real data are left out only where no folder is named; a folder that lacks data makes them fail."""
    if _real_root() is not None:
        return
    without = [item for item in items if "real_root" in getattr(item, "fixturenames", ())]
    if without:
        items[:] = [item for item in items if item not in without]
        config.hook.pytest_deselected(items=without)
        config.stash[_LEFT_OUT] = len(without)


_LEFT_OUT = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter, config):
    count = config.stash.get(_LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(f"{count} tests need real data: set GATEWRIGHT_DATA to a folder that has them")


@pytest.fixture(scope="session")
def real_root():
    """The folder with the real data."""
    return _real_root()


@pytest.fixture(scope="session")
def real_data(real_root):
    """Load a real data set, once for all tests."""
    return functools.cache(functools.partial(load_dataset, root=real_root, download=False))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache."""
    for module in (files, cache):
        monkeypatch.setattr(module, "user_cache", lambda: tmp_path / "cache")
    monkeypatch.delenv("GATEWRIGHT_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # hundreds of megabytes that pytest would keep


@pytest.fixture
def know(monkeypatch):
    """Make made-up contents the known ones: `know({"folder/a": b"..."}, archive)` where an archive may hold them all."""

    def know(contents, archive=None, url="http://localhost:1/"):
        table = {}
        for path, data in contents.items():
            source = archive[0] if archive else url + path
            table[path] = KnownFile(hashlib.sha256(data).hexdigest(), len(data), path, source)
        if archive:
            path, data = archive
            table[path] = KnownFile(hashlib.sha256(data).hexdigest(), len(data), path, url + path)
        for module in (files, download, cache):
            monkeypatch.setattr(module, "known_files", lambda: table)
        return table

    return know


@pytest.fixture
def put(tmp_path):
    """Write a file into the fake root, packed as its suffix says, with its folder."""

    def put(path, data, packed=None):
        target = tmp_path / "root" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes({"gz": gzip.compress, "xz": lzma.compress}.get(packed, bytes)(data))
        return target

    return put


def tar_of(contents):
    """A .tar.gz with these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in contents.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture(name="tar_of")
def _tar_of():
    return tar_of


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.answers.get(self.path)
        if answer is None:
            self.send_error(404)
            return
        body, length = answer if isinstance(answer, tuple) else (answer, len(answer))
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """A web server on this machine: `server.answers[path] = body`, or `(body, content_length)` to cut it off."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as httpd:
        httpd.answers, httpd.asked = {}, []
        httpd.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()
