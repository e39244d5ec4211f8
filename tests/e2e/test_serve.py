"""serve: starting, reloading, ending, and what it says when it cannot."""

import base64
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import LOGIN
from support import corpus
from support.gateway import BINARY, PASSWORD, TIMEOUT, free_port, merge
from support.pop3 import Closed, Pop3


def fails(gateway, *texts: str, **changes) -> str:
    """serve with such a configuration ends with 2 and says the texts."""
    running = gateway(start=False, **changes)
    running.expected_status = 2
    running.launch()
    assert running.wait_end() == 2, running.text()
    for text in texts:
        assert text in running.text(), running.text()
    return running.text()


def test_a_port_in_use(gateway, maildir_tenant, gateway_config):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listeners = gateway_config()["listeners"]
        listeners[0]["listen"] = [f"127.0.0.1:{port}"]
        fails(gateway, f"127.0.0.1:{port}", "in use",
              tenants=[maildir_tenant()], listeners=listeners)


def test_an_address_that_is_not_ours(gateway, maildir_tenant, gateway_config):
    listeners = gateway_config()["listeners"]
    listeners[0]["listen"] = ["192.0.2.1:1110"]
    fails(gateway, "192.0.2.1:1110", tenants=[maildir_tenant()], listeners=listeners)


def test_a_bad_configuration(gateway, maildir_tenant):
    fails(gateway, "limits.sesions", "sessions", tenants=[maildir_tenant()],
          limits={"sesions": 1})


def test_a_missing_certificate(gateway, maildir_tenant):
    fails(gateway, "/nonexistent/cert.pem", tenants=[maildir_tenant()], certificates=[
        {"certificate": "/nonexistent/cert.pem", "key": "/nonexistent/key.pem"}])


def test_a_key_that_does_not_fit(gateway, maildir_tenant, certificate, other_certificate):
    fails(gateway, str(other_certificate.key), tenants=[maildir_tenant()], certificates=[
        {"certificate": str(certificate.certificate), "key": str(other_certificate.key)}])


def test_a_state_in_a_missing_folder(gateway, maildir_tenant):
    fails(gateway, "/nonexistent/state.db", tenants=[maildir_tenant()],
          state="sqlite:/nonexistent/state.db")


def test_a_missing_configuration(directory):
    done = subprocess.run([BINARY, "serve", "-c", directory / "none.yaml"], capture_output=True,
                          timeout=TIMEOUT)
    assert done.returncode == 2
    assert b"none.yaml" in done.stderr


@pytest.fixture
def as_nobody(directory, certificate, monkeypatch):
    """What a gateway needs that runs as an account without rights; itself when we have none."""
    monkeypatch.setattr("support.gateway.BINARY", shutil.copy(BINARY, directory / "popgate"))
    directory.chmod(0o755)
    key = directory / "readable.key"
    shutil.copy(certificate.key, key)
    key.chmod(0o644)
    nobody = pwd.getpwnam("nobody")
    return {
        "certificates": [{"certificate": str(certificate.certificate), "key": str(key)}],
        "options": {} if os.getuid() else {
            "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []},
    }


def test_no_permission_for_the_state(gateway, maildir_tenant, directory, as_nobody):
    closed = directory / "closed"
    closed.mkdir(mode=0o500)
    if not os.getuid():
        os.chown(closed, 65534, 65534)
    fails(gateway, str(closed / "state.db"), tenants=[maildir_tenant()],
          state=f"sqlite:{closed}/state.db", **as_nobody)


def test_no_permission_for_the_key(gateway, maildir_tenant, as_nobody):
    key = as_nobody["certificates"][0]["key"]
    os.chmod(key, 0)
    fails(gateway, key, "ermission denied", tenants=[maildir_tenant()], **as_nobody)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may bind a port below 1024")
def test_no_permission_for_the_port(gateway, maildir_tenant, gateway_config, as_nobody):
    listeners = gateway_config()["listeners"]
    listeners[0]["listen"] = ["127.0.0.1:110"]
    if int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) <= 110:
        pytest.skip("anybody may bind port 110 here")
    fails(gateway, "127.0.0.1:110", "ermission denied", tenants=[maildir_tenant()],
          listeners=listeners, **as_nobody)


@pytest.mark.skipif(os.getuid() != 0, reason="changing the account needs root")
def test_run_as_gives_up_root(gateway, maildir_tenant, directory):
    """Sockets and certificates as root, sessions as nobody."""
    directory.chmod(0o755)
    maildir = maildir_tenant.maildir()
    maildir.deliver(corpus.message("one"))
    for path in [directory / "mail", *(directory / "mail").rglob("*"), maildir_tenant.users]:
        os.chown(path, 65534, 65534)
    state = directory / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    running = gateway(run_as="nobody", tenants=[maildir_tenant()], state=f"sqlite:{state}/state.db")
    for pid in running.workers():
        status = open(f"/proc/{pid}/status").read()
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert "Gid:\t65534\t65534\t65534\t65534" in status
        assert "Groups:\t65534 \n" in status or "Groups:\t \n" in status
    with Pop3(running.port()).login(LOGIN, PASSWORD) as client:
        assert client.retr(1) == corpus.message("one")
        client.ok("DELE 1")
        client.quit()
    assert maildir.files() == []


def test_an_unknown_account_to_run_as(gateway, maildir_tenant):
    fails(gateway, "no-such-account", tenants=[maildir_tenant()], run_as="no-such-account")


def test_several_addresses_and_ipv6(local):
    ports = [free_port(), free_port("::1")]
    served = local(listeners=[{
        "name": "pop3", "tls": "none", "plaintext_login": True,
        "listen": [f"127.0.0.1:{ports[0]}", f"[::1]:{ports[1]}"]}])
    for host, port in zip(("127.0.0.1", "::1"), ports):
        with Pop3(port, host=host).login(served.login, PASSWORD) as client:
            client.quit()
        served.gateway.wait("login", address=host)


def test_all_addresses_at_once_show_ipv4_clients_as_such(local):
    """[::]:port takes IPv4 clients too; their address is shown without ::ffff:."""
    port = free_port("::")
    served = local(listeners=[{
        "name": "pop3", "tls": "none", "plaintext_login": True, "listen": [f"[::]:{port}"]}])
    for host in ("127.0.0.1", "::1"):
        with Pop3(port, host=host).login(served.login, PASSWORD) as client:
            client.quit()
        served.gateway.wait("login", address=host)


def test_sigterm_lets_sessions_finish(local):
    served = local([corpus.message("one")], shutdown_grace="1h")
    with served.session() as client:
        served.gateway.signal(signal.SIGTERM)
        with pytest.raises((ConnectionRefusedError, ConnectionResetError, Closed)):
            while True:  # until the workers, too, have heard of it
                served.connect().close()
        assert client.retr(1) == corpus.message("one")
        client.ok("DELE 1")
        client.quit()
    assert served.gateway.wait_end() == 0
    assert served.maildir.files() == []


def test_sigterm_ends_what_does_not_finish(local):
    served = local(shutdown_grace="1s")
    with served.session() as client:
        served.gateway.signal(signal.SIGTERM)
        client.rest()
    assert served.gateway.wait_end() == 0


def test_sigterm_twice_ends_at_once(local):
    """The word of a worker's end may come with the second signal: several chances to miss it."""
    served = local(workers=4, shutdown_grace="1h")
    for _ in range(8):
        with served.session():
            served.gateway.signal(signal.SIGTERM)
            served.gateway.wait("draining")
            served.gateway.signal(signal.SIGTERM)
            assert served.gateway.wait_end() == 1, "sessions were cut off"
        served.gateway.launch()
        served.gateway.wait("ready")


def test_sigint_ends_it(local):
    served = local()
    served.gateway.signal(signal.SIGINT)
    assert served.gateway.wait_end() == 0


def test_sighup_loads_a_good_file(local):
    served = local()
    with served.session() as old:
        served.gateway.write(merge(served.gateway.config, {"protocol": {"banner": "changed"}}))
        served.gateway.reload()
        served.gateway.wait("reload done")
        with served.connect() as client:
            assert client.greeting == "+OK changed"
            client.login(served.login, PASSWORD).quit()
        assert old.stat() == (0, 0)
        old.quit()


def test_sighup_with_a_bad_file_changes_nothing(local):
    served = local()
    served.gateway.write(merge(served.gateway.config, {"limits": {"sesions": 1}}))
    with served.session() as old:
        served.gateway.reload()
        served.gateway.wait("reload refused")
        served.gateway.wait_text("limits.sesions")
        with served.session() as client:
            client.quit()
        old.quit()
    served.gateway.write(merge(served.gateway.config, {
        "limits": {"sesions": None}, "protocol": {"banner": "mended"}}))
    served.gateway.reload()
    served.gateway.wait("reload done")
    with served.connect() as client:
        assert client.greeting == "+OK mended"


def test_sighup_can_add_and_remove_listeners(local):
    served = local()
    config = merge(served.gateway.config, {})
    added = free_port()
    removed = config["listeners"].pop(1)
    config["listeners"].append({"name": "added", "listen": [f"127.0.0.1:{added}"], "tls": "none",
                                "plaintext_login": True})
    served.gateway.write(config)
    served.gateway.reload()
    served.gateway.wait("reload done")
    with Pop3(added).login(served.login, PASSWORD) as client:
        client.quit()
    with pytest.raises((ConnectionRefusedError, Closed)):
        Pop3(int(removed["listen"][0].rpartition(":")[2]), greet=False).line()


def test_many_reloads_leave_one_generation(local):
    served = local(workers=2)
    for n in range(1, 6):
        served.gateway.reload()
        served.gateway.wait("reload done", n)
        with served.session() as client:
            client.quit()
    while len(served.gateway.workers()) > 2:  # the old ones leave as their sessions end
        assert served.gateway.process.poll() is None
    with served.session() as client:
        client.quit()


def test_a_worker_that_dies_again_and_again_is_replaced(local):
    served = local()
    for _ in range(5):
        while not (workers := served.gateway.workers()):
            assert served.gateway.process.poll() is None
        os.kill(workers[0], signal.SIGKILL)
        while workers == served.gateway.workers():
            assert served.gateway.process.poll() is None
        with served.session() as client:
            client.quit()


def test_one_closed_line_per_session_with_its_figures(local):
    message = corpus.message("one")
    served = local([message])
    with served.secure() as client:
        client.retr(1)
        client.top(1, 0)
        client.ok("DELE 1")
        client.quit()
    closed = served.gateway.wait("session closed")
    assert closed["login"] == LOGIN
    assert closed["tenant"] == "local"
    assert closed["address"] == "127.0.0.1"
    assert closed["listener"] == "pop3s"
    assert closed["tls"].startswith("TLSv1")
    assert closed["mechanism"] == "USER"
    assert (closed["messages"], closed["retr"], closed["top"], closed["dele"]) == ("1",) * 4
    assert int(closed["octets_out"]) > len(message)
    assert closed["reason"] == "quit"
    assert closed["session"]
    assert [e for e in served.gateway.events(session=closed["session"]) if e["event"] == "login"]


def test_json_log(local):
    served = local(log={"format": "json"}, start=False)
    served.gateway.launch()
    while '"ready"' not in served.gateway.text():
        assert served.gateway.process.poll() is None
    with served.session() as client:
        client.quit()
    served.gateway.stop()
    lines = served.gateway.text().splitlines()
    events = [json.loads(line) for line in lines if "ASan doesn't fully support" not in line]
    assert {"ready", "login", "session closed"} <= {event["event"] for event in events}


def test_a_login_cannot_forge_a_log_line(local):
    served = local()
    quoted = 'x"\\ level=error event=ready@local.example'
    with served.connect() as client:
        client.err(b"AUTH PLAIN " + base64.b64encode(f"\0{quoted}\0sEcReT".encode()))
        client.ok('USER x"\u2028\u202eevent=ready@local.example')
        client.err("PASS sEcReT")
        client.ok(b"USER \x85\xff@local.example")
        client.err("PASS sEcReT")
    served.gateway.wait("session closed")
    assert "level=error event=ready" in served.gateway.events("login failed")[0]["login"]
    assert len(served.gateway.events("ready")) == 1
    assert not set(served.gateway.text()) & set("\u2028\u202e\x85")


def test_descriptors_are_given_back(local):
    served = local([corpus.message("one")])

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{served.gateway.workers()[0]}/fd"))

    with served.session() as client:
        client.retr(1)
        client.quit()
    served.gateway.wait("session closed", 1)
    before = descriptors()
    for n in range(2, 32):
        with served.secure() as client:
            client.retr(1)
            client.quit() if n % 2 else None
        served.gateway.wait("session closed", n)
    while descriptors() > before + 2:
        assert served.gateway.process.poll() is None
        assert len(served.gateway.events("session closed")) == 31


def children(process) -> set[str]:
    return set(open(f"/proc/{process.pid}/task/{process.pid}/children").read().split())


def test_it_goes_on_when_nobody_reads_its_log(gateway, maildir_tenant):
    """What took the log may die before the gateway; a line that nobody takes is no reason to."""
    instance = gateway(start=False, tenants=[maildir_tenant()])
    with subprocess.Popen([BINARY, "serve", "-c", instance.file], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, start_new_session=True) as process:
        while b" event=ready" not in process.stderr.readline():
            assert process.poll() is None
        process.stderr.close()
        before = children(process)
        process.send_signal(signal.SIGHUP)  # which is logged
        while process.poll() is None and children(process) & before:
            pass
        assert process.poll() is None
        with Pop3(instance.port()) as client:
            client.login(LOGIN, PASSWORD).quit()
        process.terminate()
        assert process.wait(TIMEOUT) == 0
