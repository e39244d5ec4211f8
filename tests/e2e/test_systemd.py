"""Under a service manager: what it is told, the sockets it hands over, no privileges."""

import os
import shutil
import signal
import socket
import time

import pytest
from support.gateway import BINARY, free_port
from support.pop3 import TIMEOUT, Pop3
from support.systemd import Manager, socket_activation


@pytest.fixture
def manager(directory):
    instance = Manager(directory)
    yield instance
    instance.close()


@pytest.fixture
def managed(local, manager):
    """A gateway that a manager started, before it said that it is ready."""

    def start(environment=None, **changes):
        return local(options={"env": manager.environment(**(environment or {}))}, **changes)

    return start


# sd_notify


def test_ready_is_said_once_workers_serve(managed, manager):
    served = managed()
    ready = manager.hear("READY")
    assert ready["READY"] == "1"
    assert ready["STATUS"] == "serving, 1 workers, 0 sessions"
    assert [fields for fields in manager.heard if "READY" in fields] == [ready]
    served.session().quit()


def test_nothing_is_ready_when_it_cannot_start(gateway, maildir_tenant, manager):
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        running = gateway(
            start=False, options={"env": manager.environment()}, tenants=[maildir_tenant()],
            listeners=[{"name": "pop3", "listen": [f"127.0.0.1:{taken}"], "tls": "none"}],
        ).launch()  # fmt: skip
        running.expected_status = 2
        running.wait_end()
    manager.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.hear("READY")


def test_a_reload_is_told_from_begin_to_end(managed, manager):
    served = managed()
    manager.hear("READY")
    before = time.monotonic_ns() // 1000
    served.gateway.reload()
    reloading = manager.hear("RELOADING")
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.hear("READY")["STATUS"].startswith("serving, 1 workers")
    served.gateway.wait("reload done")


def test_a_refused_reload_shows_until_one_succeeds(managed, manager):
    served = managed()
    good = served.gateway.config
    served.gateway.write({**good, "workers": "many"})
    served.gateway.reload()
    manager.hear("RELOADING")
    assert "refused" in manager.hear("READY")["STATUS"]
    served.gateway.write(good)
    served.gateway.reload()
    manager.hear("RELOADING")
    assert "refused" not in manager.hear("READY")["STATUS"]


def test_stopping_asks_for_the_time_that_sessions_get(managed, manager):
    served = managed(shutdown_grace="200s")
    with served.session():
        served.gateway.signal(signal.SIGTERM)
        stopping = manager.hear("STOPPING")
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 200e6
        assert stopping["STATUS"] == "stopping, 1 workers, 1 sessions"
    assert served.gateway.wait_end() == 0


def test_the_watchdog_is_fed_while_nothing_happens(managed, manager):
    managed({"WATCHDOG_USEC": "100000"})
    manager.hear("READY")
    for _ in range(5):
        assert manager.hear("WATCHDOG")["STATUS"].startswith("serving, 1 workers")


def test_a_stopped_master_feeds_no_watchdog(managed, manager):
    served = managed({"WATCHDOG_USEC": "100000"})
    manager.hear("WATCHDOG")
    served.gateway.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, served.gateway.process.pid, os.WSTOPPED)
    manager.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            manager.hear("WATCHDOG")
    served.gateway.signal(signal.SIGCONT)
    manager.socket.settimeout(TIMEOUT)
    manager.hear("WATCHDOG")


# Sockets of the manager


def test_sockets_go_to_the_listeners_they_are_named_after(local):
    ports = {"pop3s": free_port(), "pop3": free_port()}
    sockets = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    served = local(start=False, options={"wrapper": socket_activation(**sockets)})
    configured = served.gateway.port("pop3")
    served.gateway.launch()
    served.gateway.wait_text("Listening on")
    # Comes before the gateway runs, and is served by it.
    with Pop3(ports["pop3"]) as client:
        client.login(served.login, served.password)
    with Pop3(ports["pop3s"], tls=served.tls) as client:
        client.login(served.login, served.password)
    addresses = {e["listener"]: e["address"] for e in served.gateway.events("listening")}
    assert addresses == sockets
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", configured))


def test_handed_over_sockets_outlive_reloads(local):
    port = free_port()
    wrapper = socket_activation(pop3=f"127.0.0.1:{port}")
    served = local(start=False, options={"wrapper": wrapper})
    served.gateway.launch()
    served.gateway.wait_text("Listening on")
    with Pop3(port) as client:
        client.login(served.login, served.password)
        served.gateway.wait("ready")
        served.gateway.reload()
        served.gateway.wait("reload done")
        served.gateway.write({**served.gateway.config, "workers": "many"})
        served.gateway.reload()
        served.gateway.wait("reload refused")
        client.ok("NOOP")
    Pop3(port).login(served.login, served.password).quit()
    # The other listener is none of systemd's, and bound as configured.
    served.secure().quit()


def test_a_socket_that_no_listener_wants(local):
    port = free_port()
    wrapper = socket_activation(smtp=f"127.0.0.1:{port}")
    served = local(start=False, options={"wrapper": wrapper})
    served.gateway.launch()
    served.gateway.wait_text("Listening on")
    with socket.create_connection(("127.0.0.1", port)):
        served.gateway.expected_status = 2
        served.gateway.wait_end()
    assert ('systemd hands over a socket named "smtp": name it after a listener by'
            " FileDescriptorName= in its unit") in served.gateway.text()


# Without privileges


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another account")
def test_a_gateway_that_was_never_root(local, directory):
    """As the unit starts it: no root at any time, one capability, for ports below 1024."""
    program = directory / "popgate"
    shutil.copy(BINARY, program)
    address = f"127.0.{os.getpid() % 200 + 20}.{1 + os.getpid() // 200 % 200}"
    # The program may lie where only root may go: its copy runs in its place.
    unprivileged = [
        "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs",
        "--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service",
        "--bounding-set=-all,+net_bind_service", "sh", "-c", 'shift; exec "$0" "$@"', program,
    ]  # fmt: skip
    served = local(
        ["From: a@b.example\r\n\r\none\r\n".encode()], start=False,
        options={"wrapper": unprivileged}, certificates=None,
        listeners=[{"name": "pop3", "listen": [f"{address}:110"], "tls": "none",
                    "plaintext_login": True}],
    )  # fmt: skip
    for folder in (directory, *directory.rglob("*")):
        shutil.chown(folder, "nobody")
    served.gateway.start()
    for pid in (served.gateway.process.pid, *served.gateway.workers()):
        assert os.stat(f"/proc/{pid}").st_uid != 0
    client = Pop3(110, host=address)
    client.login(served.login, served.password)
    client.ok("DELE 1")
    client.quit()
    assert served.held() == 0
