"""deploy/quickstart.sh: serves demo mail, checks itself, leaves nothing behind."""

import os
import signal
import socket
import subprocess

import pytest

from support.gateway import TOP, free_port

SCRIPT = TOP / "deploy/quickstart.sh"
TIMEOUT = 600  # it may have to build


@pytest.fixture
def environment(directory):
    names = ("POPGATE_DEMO_PORT", "POPGATE_DEMO_TLS_PORT", "POPGATE_DEMO_IMAP_PORT")
    return {**os.environ, **{name: str(free_port()) for name in names},
            "POPGATE_DEMO_DIR": str(directory / "demo")}


def nothing_listens(environment) -> bool:
    for name in ("POPGATE_DEMO_PORT", "POPGATE_DEMO_TLS_PORT", "POPGATE_DEMO_IMAP_PORT"):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(environment[name]))) == 0:
                return False
    return True


# One worker runs all of them: they share build/release.
@pytest.mark.xdist_group("quickstart")
@pytest.mark.parametrize("options", [[], ["--imap"]])
def test_check(environment, options):
    done = subprocess.run([SCRIPT, "--check", *options], env=environment, capture_output=True,
                          text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 messages, octet for octet" in done.stdout
    assert nothing_listens(environment)


@pytest.mark.xdist_group("quickstart")
@pytest.mark.parametrize("options", [[], ["--imap"]])
def test_serves_until_ctrl_c_and_the_curl_line_works(environment, options):
    process = subprocess.Popen([SCRIPT, *options], env=environment, stdout=subprocess.PIPE,
                               text=True, start_new_session=True, preexec_fn=heed_ctrl_c)
    try:
        shown = []
        for line in process.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
        commands = [line.strip() for line in shown if line.startswith("  curl ")]
        assert commands, "".join(shown)
        for command in commands:
            done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=TIMEOUT)
            assert done.returncode == 0, done.stderr
            assert done.stdout
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=TIMEOUT)
        assert nothing_listens(environment)
    finally:
        process.terminate()
        process.communicate()


def heed_ctrl_c() -> None:
    """What runs in the background of a script begins with SIGINT ignored, and bash leaves it so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.xdist_group("quickstart")
def test_a_taken_port_is_told(environment):
    with socket.create_server(("127.0.0.1", int(environment["POPGATE_DEMO_PORT"]))):
        done = subprocess.run([SCRIPT, "--check"], env=environment, capture_output=True,
                              text=True, timeout=TIMEOUT)
    assert done.returncode == 1
    assert environment["POPGATE_DEMO_PORT"] in done.stderr and "taken" in done.stderr
