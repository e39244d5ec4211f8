"""The admin interface: metrics that tell what happened, health, and what it refuses."""

import contextlib
import http.client
import os
import re
import signal
import socket
import sqlite3

import pytest
from support import corpus
from support.gateway import TOP, free_port, merge, password
from support.http import Admin
from support.pop3 import Closed, Pop3
from support.scripted_imap import ScriptedImap


@pytest.fixture
def admin_config():
    return {"listen": f"127.0.0.1:{free_port()}"}


@pytest.fixture
def served(local, admin_config):
    """joe's Maildir with two messages, and the admin interface of its gateway."""
    running = local([corpus.message("one"), corpus.message("two")], admin=admin_config,
                    tenant={"sessions_per_user": 4})
    running.admin = Admin(running.gateway)
    return running


# Metrics


def test_counters_say_what_happened(served, tls):
    with served.secure() as client:
        one = len(client.retr(1))
        two = len(client.retr(2))
        client.ok("DELE 2")
        client.quit()
    with served.connect() as client:
        client.ok(f"USER {served.login}")
        client.err(f"PASS {password('wrong')}")
        client.ok("USER nobody@elsewhere.example")
        client.err(f"PASS {password('wrong')}")
    served.gateway.wait("session closed", 2)
    value = served.admin.value
    assert value("popgate_logins_total", tenant="local") == 1
    assert value("popgate_login_failures_total", tenant="local") == 1
    assert value("popgate_unrouted_login_failures_total") == 1
    assert value("popgate_retrieved_messages_total", tenant="local") == 2
    assert value("popgate_retrieved_bytes_total", tenant="local") == one + two
    assert value("popgate_deleted_messages_total", tenant="local") == 1
    assert value("popgate_connections_total", listener="pop3") == 1
    assert value("popgate_connections_total", listener="pop3s") == 1
    assert value("popgate_tls_handshakes_total", listener="pop3s", version="1.3") == 1
    assert value("popgate_mechanism_logins_total", mechanism="USER") == 1
    for name, count in (("login", 1), ("listing", 1), ("retrieval", 2)):
        family = f"popgate_{name}_duration_seconds"
        assert value(f"{family}_count", tenant="local") == count
        assert value(f"{family}_bucket", tenant="local", le="+Inf") == count
        assert 0 < value(f"{family}_sum", tenant="local") < 60
    assert value("popgate_workers") == 1
    assert value("popgate_ready") == 1


def test_gauges_count_live_sessions(served):
    admin = served.admin
    assert admin.value("popgate_sessions") == 0
    with served.session() as one, served.connect():
        admin.wait_value("popgate_sessions", 2)
        assert admin.value("popgate_tenant_sessions", tenant="local") == 1
        assert admin.value("popgate_listener_sessions", listener="pop3") == 2
        assert admin.value("popgate_listener_sessions", listener="pop3s") == 0
        one.quit()
        admin.wait_value("popgate_tenant_sessions", 0, tenant="local")
    admin.wait_value("popgate_sessions", 0)


def test_refusals_are_counted(local, admin_config, tls):
    served = local(admin=admin_config, limits={"sessions": 1})
    admin = Admin(served.gateway)
    with served.session():
        with served.connect(greet=False) as refused:
            assert refused.reply().startswith("-ERR [SYS/TEMP]")
    admin.wait_value("popgate_sessions", 0)
    with served.connect("pop3s", greet=False) as client:
        client.send(b"USER this is no handshake\r\n")
        with pytest.raises(Closed):
            client.line()
    admin.wait_value("popgate_tls_handshake_failures_total", 1, listener="pop3s")
    assert admin.value("popgate_refused_connections_total", listener="pop3") == 1
    page = admin.ask("/").text
    assert "too many sessions" in page
    assert "TLS handshake" in page


def test_a_later_login_is_not_counted_for_the_tenant_before(served):
    """Each attempt of a connection belongs to its own tenant, or to none."""
    with served.connect() as client:
        for login in (served.login, "nobody@elsewhere.example"):
            client.ok(f"USER {login}")
            client.err(f"PASS {password('wrong')}")
    served.gateway.wait("session closed")
    assert served.admin.value("popgate_login_failures_total", tenant="local") == 1
    assert served.admin.value("popgate_unrouted_login_failures_total") == 1


def test_servers_and_their_health(gateway, admin_config):
    with contextlib.closing(ScriptedImap([corpus.message("one")])) as server:
        dead = free_port()
        tenants = [
            {"name": "good", "match": {"domains": ["good.example"]}, "imap": server.as_config()},
            {"name": "bad", "match": {"domains": ["bad.example"]},
             "imap": {**server.as_config(), "port": dead}},
        ]
        running = gateway(tenants=tenants, admin=admin_config)
        admin = Admin(running)
        with Pop3(running.port()) as client:
            client.ok("USER joe@bad.example")
            assert "[SYS/TEMP]" in client.err(f"PASS {password('x')}")
            client.ok("USER joe@good.example")
            client.ok(f"PASS {password('x')}")
            client.quit()
        host = server.as_config()["servers"][0]
        good = f"{host}:{server.as_config()['port']}"
        assert admin.value("popgate_server_connects_total", server=good) == 1
        assert admin.value("popgate_server_up", server=good) == 1
        assert admin.value("popgate_server_connect_seconds", server=good) < 60
        assert admin.value("popgate_server_connect_failures_total", server=f"{host}:{dead}") == 1
        assert admin.value("popgate_server_up", server=f"{host}:{dead}") == 0
        assert admin.value("popgate_store_errors_total", tenant="bad") == 1


def test_worker_deaths_and_reloads(served):
    os.kill(served.gateway.workers()[0], signal.SIGKILL)
    served.gateway.wait("worker died")
    served.admin.wait_value("popgate_workers", 1)
    assert served.admin.value("popgate_worker_deaths_total") == 1
    served.gateway.reload()
    served.gateway.wait("reload done")
    assert served.admin.value("popgate_reloads_total") == 1
    assert served.admin.value("popgate_config_generation") == 2
    served.gateway.file.write_text("limits: {sesions: 1}\n")
    served.gateway.reload()
    served.gateway.wait("reload refused")
    assert served.admin.value("popgate_reload_failures_total") == 1
    assert served.admin.value("popgate_config_last_reload_successful") == 0


def test_metrics_keep_the_conventions(served):
    with served.session() as client:
        client.quit()
    answer = served.admin.ask("/metrics")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    families = served.admin.families()
    assert len(families) > 30
    for name, family in families.items():
        assert re.fullmatch(r"popgate_[a-z][a-z0-9]*(_[a-z0-9]+)*", name)
        assert family.documentation.endswith("."), f"{name}: {family.documentation!r}"
        assert family.type in ("counter", "gauge", "histogram", "info"), name
        assert not re.search(r"_(total|count|sum|bucket|info|created)$", name), name
        assert not re.search(r"octets|_ms|milli|minutes|kilo|mega", name), f"{name}: base units"
        assert family.unit in ("", "seconds", "bytes"), name
        assert family.unit == "" or name.endswith(f"_{family.unit}"), name
        for unit in ("seconds", "bytes"):
            assert not name.endswith(f"_{unit}") or family.unit == unit, name
        for sample in family.samples:
            assert set(sample.labels) <= {"tenant", "listener", "server", "version", "mechanism",
                                          "le"}, f"{name}: a label that may grow without bounds"


def test_every_metric_is_documented(served):
    """docs/operations.md has one row for each family, and none for others."""
    text = (TOP / "docs/operations.md").read_text()
    rows = re.findall(r"^\| `(popgate_\w+)`", text, re.MULTILINE)
    assert sorted(rows) == sorted(served.admin.families())


# Health


def test_health_and_readiness(served):
    assert served.admin.ask("/healthz").text == "ok\n"
    ready = served.admin.ask("/readyz")
    assert (ready.status, ready.text) == (200, "ready\n")


def test_not_ready_without_the_registry(served, directory):
    """The workers ask it now and then and notice, without a login, that it cannot be read."""
    with sqlite3.connect(directory / "state.db") as connection:
        connection.execute("CREATE TABLE noticed (it INTEGER)")  # what was cached is read again
    connection.close()
    for path in directory.glob("state.db*"):
        with open(path, "r+b") as file:
            file.write(b"no database" * (path.stat().st_size // 11))
    served.admin.wait_value("popgate_registry_up", 0)
    answer = served.admin.ask("/readyz")
    assert (answer.status, answer.text) == (503, "not ready: the registry cannot be reached\n")
    assert served.admin.value("popgate_registry_failures_total") > 0
    assert served.admin.ask("/healthz").status == 200


# What it refuses


def test_only_reading(served):
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = served.admin.ask("/metrics", method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert served.admin.ask("/metrics", "HEAD").text == ""
    assert served.admin.ask("/etc/passwd").status == 404
    assert served.admin.ask("/../..").status == 404


def test_foreign_names_for_this_host(served):
    """A page of elsewhere that points its own name to loopback reads nothing."""
    port = served.admin.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost", "[::1]:1"):
        assert served.admin.ask("/readyz", Host=host).status == 200, host
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "192.0.2.1", ""):
        assert served.admin.ask("/", Host=host).status in (400, 421), host
        assert "popgate" not in served.admin.ask("/", Host=host).text


def test_headers_of_every_answer(served):
    for path in ("/", "/metrics", "/readyz", "/api/sessions", "/nothing"):
        headers = served.admin.ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers


def test_large_requests(served):
    assert served.admin.ask("/" + "a" * 20000).status in (413, 414, 431)
    assert served.admin.ask("/", Cookie="a" * 40000).status in (413, 431)
    assert served.admin.ask("/", "POST", body=b"x" * 10000).status == 413
    assert served.admin.ask("/healthz").status == 200


def test_idle_connections_keep_nobody_out(served):
    """As many as are taken at once do nothing; they time out and others have their turn."""
    idle = [socket.create_connection(("127.0.0.1", served.admin.port)) for _ in range(80)]
    with served.session() as client:
        client.quit()
    assert served.admin.ask("/healthz").status == 200
    for connection in idle:
        connection.close()


def test_half_a_request_holds_up_nothing(served):
    with socket.create_connection(("127.0.0.1", served.admin.port)) as half:
        half.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        assert served.admin.ask("/healthz").status == 200
        with served.session() as client:
            client.quit()


def test_workers_hold_none_of_its_connections(served):
    """A worker forked while a client is connected would keep that connection open for ever."""
    connection = http.client.HTTPConnection("127.0.0.1", served.admin.port, timeout=60)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    os.kill(served.gateway.workers()[0], signal.SIGKILL)
    served.gateway.wait("worker died")
    served.admin.wait_value("popgate_workers", 1)
    for worker in served.gateway.workers():
        held = {os.readlink(f"/proc/{worker}/fd/{fd}") for fd in os.listdir(f"/proc/{worker}/fd")}
        master = served.gateway.process.pid
        mine = {os.readlink(f"/proc/{master}/fd/{fd}") for fd in os.listdir(f"/proc/{master}/fd")}
        sockets = {name for name in held & mine if name.startswith("socket:")}
        # The POP3 listeners and the log alone are shared.
        assert len(sockets) <= len(served.gateway.config["listeners"]), sockets
    connection.close()


# Where it listens


def test_an_address_in_use_is_said_and_tried_again(served, local, admin_config, gateway,
                                                   maildir_tenant):
    """Mail matters more than its metrics: the second gateway serves, and says what to do."""
    second = gateway(tenants=[maildir_tenant()], admin=served.gateway.config["admin"],
                     state="none")
    line = second.wait("admin interface cannot listen")
    assert "in use" in line["detail"] and served.admin.listen in line["detail"]
    assert line["advice"]


def test_a_reload_moves_it(served):
    before = served.admin.port
    config = merge(served.gateway.config, {"admin": {"listen": f"127.0.0.1:{free_port()}"}})
    served.gateway.write(config)
    served.gateway.reload()
    served.gateway.wait("reload done")
    assert Admin(served.gateway).ask("/healthz").status == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", before))


def test_off(local):
    served = local(admin={"listen": "", "socket": ""})
    assert not served.gateway.events("admin")
    assert not Admin(served.gateway).socket.exists()
