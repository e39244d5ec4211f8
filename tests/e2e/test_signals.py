"""Signals under load: a reload loses no session, a shutdown tells of itself first, a log is reopened,
and whoever reads the log holds up nobody."""

import os
import signal
import socket
import subprocess
import threading

import pytest
from support import corpus
from support.gateway import BINARY, LEAN, free_port, merge, parse
from support.http import Admin
from support.pop3 import TIMEOUT, Closed, Pop3

SESSIONS = int(os.environ.get("POPGATE_TEST_SESSIONS", "200"))


# SIGHUP


def visits(served, message: bytes, stop: threading.Event, failures: list, done: list) -> None:
    """One session after the other, each whole."""
    while not stop.is_set():
        try:
            with served.session() as client:
                assert client.retr(1) == message
                client.quit()
            done.append(1)
        except Exception as problem:  # noqa: BLE001 - whatever it is, a session was lost
            failures.append(repr(problem))


def test_a_reload_under_load_loses_no_session(either):
    """200 sessions are open, and others come and go without a pause, while it reloads five times."""
    message = corpus.message("one", b"text\r\n" * 200)
    served = either([message], workers=2, options=LEAN, tenant={"sessions_per_user": 1000})
    stop, failures, done = threading.Event(), [], []
    open_sessions = [served.session() for _ in range(SESSIONS)]
    threads = [threading.Thread(target=visits, args=(served, message, stop, failures, done))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for count in range(1, 6):
        served.gateway.reload()
        served.gateway.wait("reload done", count)
        before = len(done)
        while len(done) < before + 8 and not failures:
            pass
    stop.set()
    for thread in threads:
        thread.join(TIMEOUT)
    assert not failures, failures[:3]
    for client in open_sessions:
        assert client.retr(1) == message
        client.quit()
        client.close()
    served.gateway.wait("session closed", SESSIONS + len(done))
    reasons = {event["reason"] for event in served.gateway.events("session closed")}
    assert reasons == {"quit"}


# SIGTERM


@pytest.fixture
def watched(local):
    """A gateway whose readiness is asked; watched(**changes)."""

    def start(**changes):
        served = local([corpus.message("one")], admin={"listen": f"127.0.0.1:{free_port()}"},
                       **changes)
        served.admin = Admin(served.gateway)
        return served

    return start


def test_it_is_unready_before_it_accepts_no_more(watched):
    served = watched(shutdown_delay="1h", shutdown_grace="1h")
    assert served.admin.ask("/readyz").status == 200
    served.gateway.signal(signal.SIGTERM)
    served.gateway.wait("stopping")
    answer = served.admin.ask("/readyz")
    assert (answer.status, answer.text) == (503, "not ready: draining\n")
    assert served.admin.ask("/healthz").status == 200
    with served.session() as client:
        assert client.retr(1) == corpus.message("one")
        client.quit()
    # What dies meanwhile is replaced, too.
    os.kill(served.gateway.workers()[0], signal.SIGKILL)
    served.gateway.wait("worker died")
    served.admin.wait_value("popgate_workers", 1)
    served.gateway.expected_status = 1
    served.gateway.signal(signal.SIGTERM)
    assert served.gateway.wait_end() == 1


def test_it_drains_after_the_delay(watched):
    served = watched(shutdown_delay="200ms", shutdown_grace="1h")
    with served.session() as client:
        served.gateway.signal(signal.SIGTERM)
        served.gateway.wait("draining")
        assert served.admin.ask("/readyz").status == 503, "it answers to the end"
        assert served.admin.value("popgate_sessions") == 1
        with pytest.raises((ConnectionRefusedError, ConnectionResetError, Closed)):
            served.connect()
        assert client.retr(1) == corpus.message("one")
        client.quit()
    assert served.gateway.wait_end() == 0


def test_a_session_cut_off_is_told(watched):
    served = watched(shutdown_grace="100ms")
    with served.session() as client:
        served.gateway.signal(signal.SIGTERM)
        assert client.reply().startswith("-ERR [SYS/TEMP]")
        client.closed()
    assert served.gateway.wait_end() == 0
    assert served.gateway.events("session closed")[0]["reason"] == "shutdown"


# SIGUSR1


def events(path) -> list[dict]:
    return [parse(line) for line in path.read_text().splitlines()]


def wait_for(path, event: str, **fields) -> None:
    while not any(e.get("event") == event and all(e.get(k) == v for k, v in fields.items())
                  for e in events(path) if e):
        pass


def test_the_log_file_is_reopened_by_all(local, directory):
    """What logrotate does: rename, signal. Workers of an older generation hear of it too."""
    path, rotated = directory / "log", directory / "log.1"
    served = local(workers=2, log={"file": str(path), "level": "info"}, start=False)
    served.gateway.launch()
    while not path.exists():
        assert served.gateway.process.poll() is None
    wait_for(path, "ready")
    old = served.session()
    served.gateway.reload()
    wait_for(path, "reload done")
    path.rename(rotated)
    served.gateway.signal(signal.SIGUSR1)
    while not path.exists():
        assert served.gateway.process.poll() is None
    wait_for(path, "log reopened")
    size = rotated.stat().st_size
    for _ in range(8):
        with served.session() as client:
            client.quit()
    old.quit()
    while sum(e.get("event") == "session closed" for e in events(path)) < 9:
        assert served.gateway.process.poll() is None
    assert rotated.stat().st_size == size
    assert path.stat().st_mode & 0o777 == 0o640
    old.close()


def test_a_log_file_that_cannot_be_opened(gateway, maildir_tenant, directory):
    instance = gateway(start=False, tenants=[maildir_tenant()],
                       log={"file": str(directory / "mail")})
    instance.expected_status = 2
    instance.launch()
    assert instance.wait_end() == 2
    assert "log.file" in instance.text() and "directory" in instance.text()


# Whoever reads the log


def test_a_stalled_reader_of_the_log_holds_up_nobody(gateway, maildir_tenant):
    """Nobody reads; sessions go on, far beyond what the pipe and the buffer hold. Then everything
    that was not dropped comes, and a line says how many were."""
    maildir_tenant.maildir()
    instance = gateway(start=False, tenants=[maildir_tenant(sessions_per_user=10000)], workers=1,
                       log={"level": "info"}, protocol={"bad_commands": 100000},
                       admin={"listen": f"127.0.0.1:{free_port()}"})
    read, write = os.pipe()
    process = subprocess.Popen([BINARY, "serve", "-c", instance.file], stdin=subprocess.DEVNULL,
                               stderr=write, stdout=write, start_new_session=True)
    os.close(write)
    admin = Admin(instance)
    try:
        stream = os.fdopen(read, "rb")
        while b"event=ready" not in stream.readline():
            assert process.poll() is None
        login = ("x" * 200) + "@elsewhere.example"
        served = 0
        while admin.value("popgate_lost_log_lines_total") == 0:
            for _ in range(500):
                with Pop3(instance.port()) as client:
                    client.ok(f"USER {login}")
                    client.err("PASS x")
                served += 1
        lost = 0
        failed = closed = 0
        for line in stream:
            event = parse(line.decode())
            failed += event.get("event") == "login failed"
            closed += event.get("event") == "session closed"
            if event.get("event") == "log lines lost":
                lost += int(event["lines"])
                break
        assert lost > 0
        assert failed + closed + lost >= 2 * served
    finally:
        process.terminate()
        threading.Thread(target=stream.read, daemon=True).start()
        assert process.wait(TIMEOUT) == 0


def test_a_slow_reader_of_the_log_gets_all(gateway, maildir_tenant):
    """A pipe full of lines is no reason to drop any."""
    instance = gateway(start=False, tenants=[maildir_tenant()], workers=1,
                       admin={"listen": f"127.0.0.1:{free_port()}"})
    read, write = os.pipe()
    process = subprocess.Popen([BINARY, "serve", "-c", instance.file], stdin=subprocess.DEVNULL,
                               stderr=write, stdout=write, start_new_session=True)
    os.close(write)
    stream = os.fdopen(read, "rb")
    while b"event=ready" not in stream.readline():
        assert process.poll() is None
    for _ in range(600):  # some 200 KiB, three times what a pipe holds
        with Pop3(instance.port()) as client:
            client.ok("QUIT")
    assert Admin(instance).value("popgate_lost_log_lines_total") == 0
    process.terminate()
    closed = sum(parse(line.decode()).get("event") == "session closed" for line in stream)
    assert process.wait(TIMEOUT) == 0
    assert closed == 600


def test_a_log_that_is_a_socket(gateway, maildir_tenant):
    """As systemd's journal is; there, too, nobody waits."""
    instance = gateway(start=False, tenants=[maildir_tenant()], workers=1,
                       admin={"listen": f"127.0.0.1:{free_port()}"})
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([BINARY, "serve", "-c", instance.file], stdin=subprocess.DEVNULL,
                               stderr=theirs, stdout=theirs, start_new_session=True)
    theirs.close()
    stream = ours.makefile("rb")
    while b"event=ready" not in stream.readline():
        assert process.poll() is None
    for _ in range(1500):
        with Pop3(instance.port()) as client:
            client.ok("QUIT")
    process.terminate()
    closed = sum(parse(line.decode()).get("event") == "session closed" for line in stream)
    assert process.wait(TIMEOUT) == 0
    assert closed == 1500


def test_changing_the_log_file_by_a_reload(local, directory):
    first, second = directory / "first", directory / "second"
    served = local(log={"file": str(first), "level": "info"}, start=False)
    served.gateway.launch()
    while not first.exists():
        assert served.gateway.process.poll() is None
    wait_for(first, "ready")
    served.gateway.write(merge(served.gateway.config, {"log": {"file": str(second)}}))
    served.gateway.reload()
    while not second.exists():
        assert served.gateway.process.poll() is None
    wait_for(second, "reload done")
    with served.session() as client:
        client.quit()
    wait_for(second, "session closed")
