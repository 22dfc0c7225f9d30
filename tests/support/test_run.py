"""What is started for a run serves all its processes, and ends with it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.children import ROOT
from tests.support.servers import until

_PRELUDE = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from tests.support import run
def start(folder):
    printed = run.current().keep(["sh", "-c", "echo $$; exec sleep 600"], folder)
    while not printed.read_text().endswith("\\n"):
        pass
    return {{"pid": int(printed.read_text())}}
"""


def in_a_process(script: str, *arguments: object) -> list[str]:
    """Run a script in a process of its own, and return the words that it printed."""
    command = [sys.executable, "-c", _PRELUDE + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.stdout.split()


def is_there(pid: str) -> bool:
    """Tell whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_was_started_is_gone_when_the_run_has_ended() -> None:
    """The end of a run waits for its programs, and leaves no folder."""
    script = """
run.begin()
print(run.current().shared("sleeper", start)["pid"], run.current().folder, flush=True)
run.current().end()
"""
    pid, folder = in_a_process(script)

    assert (is_there(pid), Path(folder).exists()) == (False, False)


def test_a_killed_run_leaves_nothing_behind() -> None:
    """Also where nothing could be done at the end, programs and folder go."""
    script = """
run.begin()
print(run.current().shared("sleeper", start)["pid"], run.current().folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    pid, folder = in_a_process(script)

    until(lambda: not is_there(pid))
    until(lambda: not Path(folder).exists())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_program_outlives_the_worker_that_started_it(number: signal.Signals) -> None:
    """Whoever asks later gets what the first one started, and it ends with the run."""
    script = """
import subprocess
worker = '''
run.begin(sys.argv[1])
print(run.current().shared("sleeper", start)["pid"], flush=True)
os.killpg(0, int(sys.argv[2]))
'''
run.begin()
print(run.current().folder, flush=True)
for _ in range(2):
    command = [sys.executable, "-c", sys.argv[1] + worker, run.current().folder, sys.argv[2]]
    subprocess.run(command, start_new_session=True, stderr=subprocess.DEVNULL)
print("there" if Path(f"/proc/{run.current().shared('sleeper', start)['pid']}").exists() else "gone", flush=True)
run.current().end()
"""
    folder, first, second, then = in_a_process(script, _PRELUDE, number.value)

    assert (first == second, then, is_there(first), Path(folder).exists()) == (True, "there", False, False)


def test_a_failed_start_is_tried_again() -> None:
    """What could not be made is made by the next one who asks."""
    script = """
run.begin()
def fail(folder):
    raise OSError("not now")
try:
    run.current().shared("number", fail)
except OSError:
    print(run.current().shared("number", lambda folder: {"is": 7})["is"])
run.current().end()
"""
    assert in_a_process(script) == ["7"]
