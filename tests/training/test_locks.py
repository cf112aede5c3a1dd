"""One folder, one run: a second process is refused, and children end with their launcher."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gatewright.errors import DataError
from gatewright.runs.folder import lock_run
from gatewright.runs.run import load_run, train
from gatewright.runtime.locks import BusyError, locked
from gatewright.training import load
from gatewright.training.checkpoint import load_state
from gatewright.training.metrics import read_lines

COMMAND = [sys.executable, "-m", "gatewright", "train"]


def training(path, folder, *arguments):
    command = [*COMMAND, path, "--out", folder, "--set=train.log_every=1", *arguments]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_second_process_is_refused_and_the_first_is_not_disturbed(hard_config, tmp_path):
    path, folder = tmp_path / "c.yaml", tmp_path / "run"
    path.write_text(load.dump(hard_config))
    first = training(path, folder, "--steps", 1_000_000)
    try:
        wait_for(lambda: len(read_lines(folder / "metrics.jsonl")) > 2 or first.poll() is not None)
        config = (folder / "config.yaml").read_text()
        second = training(path, folder, "--seed", 9, "--resume")
        _, errors = second.communicate(timeout=60)
        assert second.returncode == 2
        assert f"error: another process trains into {folder} (process {first.pid} on" in errors
        assert "choose another --out" in errors
        assert len(errors.splitlines()) == 1
        with pytest.raises(BusyError, match=f"process {first.pid} on"):
            train(hard_config, "test", folder)
        assert (folder / "config.yaml").read_text() == config
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    # The lock of a killed process is free, and what it left half written is removed.
    (folder / ".checkpoint.safetensors.0123456789abcdef.tmp").write_text("half")
    assert not train(
        path, out=folder, overrides=["train.steps=1000000", "train.log_every=1"], resume=True, stop=lambda: True
    )
    assert not list(folder.glob(".*.tmp"))


def test_threads_are_kept_apart_and_none_locks_twice(tmp_path):
    found = []

    def other():
        try:
            with lock_run(tmp_path / "run"):
                found.append("entered")
        except BusyError as error:
            found.append(str(error))

    with lock_run(tmp_path / "run"):
        with pytest.raises(BusyError, match="another process trains into"), lock_run(tmp_path / "run"):
            pass
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(found) == 1
    assert f"(process {os.getpid()} on" in found[0]
    other()
    assert found[1] == "entered"


def test_nothing_is_left_of_the_lock(hard_config, tmp_path):
    with pytest.raises(DataError):
        train(
            load.from_dict({**hard_config.as_dict(), "data": {"name": "mnist"}}),
            "x",
            tmp_path / "a",
            data_root=tmp_path,
        )
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    with lock_run(tmp_path / "mine"):
        assert (tmp_path / "mine" / ".train.lock").exists()
    assert list((tmp_path / "mine").iterdir()) == []


def test_what_a_lock_says_is_text(tmp_path):
    (tmp_path / "l").write_text("\x1b[2J")
    with locked(tmp_path / "l", "it", "wait"):
        (tmp_path / "l").write_bytes(b"\x1b[2J\xff")
        code = (
            "from pathlib import Path; from gatewright.runtime.locks import locked\n"
            f"with locked(Path({str(tmp_path / 'l')!r}), 'it', 'wait'): pass"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("it (it does not say who it is); wait\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_a_child_that_waits_for_others_ends_with_its_launcher(tmp_path):
    join = "import signal, torch; from gatewright.training.processes import join\n"
    join += "signal.signal(signal.SIGTERM, lambda *_: None)\n"  # as the command line, which wants to stop after a step
    join += "join(torch.device('cpu')).__enter__()"
    launch = "import os, subprocess, sys; os.environ['GATEWRIGHT_LAUNCHER'] = str(os.getpid())\n"
    launch += (
        f"print(subprocess.Popen([sys.executable, '-c', {join!r}], stdout=subprocess.DEVNULL).pid, flush=True); input()"
    )
    group = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}  # nobody is there
    with (tmp_path / "said").open("w+") as said:
        launcher = subprocess.Popen(
            [sys.executable, "-c", launch],
            env=os.environ | group,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        )
        child = int(launcher.stdout.readline())
        try:
            time.sleep(4)
            os.kill(child, 0)
        finally:
            launcher.kill()
            launcher.communicate()
        try:
            wait_for(lambda: "is gone: stopping" in (tmp_path / "said").read_text(), 30)
            wait_for(lambda: not is_running(child), 10)
        finally:
            if is_running(child):
                os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["no-such-command"], 2)])
def test_one_of_several_processes_ends_without_the_end_of_the_interpreter(arguments, code):
    # There, threads of torch.distributed aborted processes whose work was done (SIGABRT: "terminate called ...").
    program = "import atexit; atexit.register(print, 'ended'); from gatewright.__main__ import main; main()"
    for processes, ends in (("2", False), ("1", True)):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=os.environ | {"WORLD_SIZE": processes, "RANK": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert ("ended" in done.stdout) is ends
        assert (done.stdout + done.stderr).replace("ended", "").strip()


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_children_end_with_their_launcher(hard_config, tmp_path):
    path, folder = tmp_path / "c.yaml", tmp_path / "run"
    path.write_text(load.dump(hard_config))
    command = [*COMMAND, path, "--out", folder, "--devices", 2, "--steps", 1_000_000, "--set=train.log_every=1"]
    launcher = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def children():
        found = []
        for status in os.scandir("/proc"):
            if status.name.isdecimal():
                try:
                    words = Path(status.path, "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if str(folder).encode() in words and int(status.name) != launcher.pid:
                    found.append(int(status.name))
        return found

    try:
        wait_for(lambda: len(read_lines(folder / "metrics.jsonl")) > 2 or launcher.poll() is not None)
        assert len(children()) == 2
    finally:
        launcher.send_signal(signal.SIGKILL)
        launcher.wait()
    try:
        wait_for(lambda: not children(), 30)
    finally:
        for child in children():
            os.kill(child, signal.SIGKILL)
    assert load_state(folder / "checkpoint.safetensors", "checkpoint")["step"] > 0
    with lock_run(folder):
        pass


@pytest.mark.slow
def test_many_starts_on_one_folder_make_one_run(hard_config, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(load.dump(hard_config))
    for i in range(5):
        folder = tmp_path / f"run-{i}"
        children = [training(path, folder, "--seed", seed) for seed in (1, 2)]
        codes = [child.communicate() and child.returncode for child in children]
        assert sorted(codes) == [0, 2]
        seed = codes.index(0) + 1
        assert load.load_file(folder / "config.yaml").train.seed == seed
        assert load_run(folder).config.train.seed == seed
        assert json.loads((folder / "result.json").read_text())["seed"] == seed
