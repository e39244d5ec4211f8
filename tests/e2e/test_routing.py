"""Which tenant serves a login: domains, wildcards, server name, listener, network, tenants_dir."""

import base64

import pytest
import yaml

from support import corpus
from support.gateway import PASSWORD, free_port, run
from support.hashes import crypt_of
from support.maildir import Maildir
from support.pop3 import Pop3


@pytest.fixture
def tenant(directory):
    """tenant("name", match={…}): a Maildir tenant; everybody finds one message, its name."""
    hashed = crypt_of("$6$rounds=1000$saltsalt$", PASSWORD)

    class Everybody:
        def __call__(self, name: str, logins=("joe@x.example",), **match) -> dict:
            users = directory / f"{name}.users"
            users.write_text("".join(f"{login}:{hashed}\n" for login in logins))
            for login in logins:
                user = login.partition("@")[0]
                Maildir(directory / name / user).deliver(corpus.message(name))
            return {"name": name, **({"match": match} if match else {}),
                    "auth": {"users_file": str(users)},
                    "maildir": {"path": f"{directory}/{name}/%{{user}}"}}

    return Everybody()


def who_serves(client: Pop3, login: str) -> str:
    """The tenant's name, by the one message in it; "" when the login fails."""
    with client:
        client.ok(f"USER {login}")
        if client.command(f"PASS {PASSWORD}").startswith("-ERR [AUTH]"):
            return ""
        subject = client.top(1, 0).split(b"Subject: ")[1].split(b"\r\n")[0].decode()
        client.quit()
        return subject


def test_domains_and_wildcards_in_file_order(gateway, tenant):
    logins = ["joe@a.example", "joe@x.a.example", "joe@x.y.a.example", "joe@ba.example",
              "joe@b.example"]
    running = gateway(tenants=[
        tenant("first", logins, domains=["a.example"]),
        tenant("second", logins, domains=["*.a.example"]),
        tenant("last", logins),
    ])
    served = {login: who_serves(Pop3(running.port()), login) for login in logins}
    assert served == {
        "joe@a.example": "first", "joe@x.a.example": "second", "joe@x.y.a.example": "second",
        "joe@ba.example": "last", "joe@b.example": "last",
    }  # fmt: skip
    assert who_serves(Pop3(running.port()), "JOE@A.EXAMPLE") == "first"


def test_no_tenant_no_login(gateway, tenant):
    running = gateway(tenants=[tenant("only", ["joe@a.example"], domains=["a.example"])])
    assert who_serves(Pop3(running.port()), "joe@b.example") == ""
    assert who_serves(Pop3(running.port()), "joe") == ""


def test_the_tls_server_name_chooses_the_tenant(gateway, tenant, tls, ca):
    certificates = [ca.issue("one.example").as_config(), ca.issue("two.example").as_config()]
    running = gateway(certificates=certificates, tenants=[
        tenant("one", server_names=["one.example"]),
        tenant("two", server_names=["two.example"]),
        tenant("plain"),
    ])
    for name in ("one", "two"):
        client = Pop3(running.port("pop3s"), tls=tls, server_name=f"{name}.example")
        assert who_serves(client, "joe@x.example") == name
        client = Pop3(running.port())
        client.ok("STLS")
        client.start_tls(tls, f"{name}.example")
        assert who_serves(client, "joe@x.example") == name
    assert who_serves(Pop3(running.port()), "joe@x.example") == "plain"


def test_the_listener_chooses_the_tenant(gateway, tenant, gateway_config):
    listeners = gateway_config()["listeners"]
    listeners.append({"name": "third", "listen": [f"127.0.0.1:{free_port()}"], "tls": "none",
                      "plaintext_login": True})
    running = gateway(listeners=listeners, tenants=[
        tenant("special", listeners=["third"]), tenant("general")])
    assert who_serves(Pop3(running.port("third")), "joe@x.example") == "special"
    assert who_serves(Pop3(running.port()), "joe@x.example") == "general"


def test_the_clients_network_chooses_the_tenant(gateway, tenant):
    running = gateway(tenants=[
        tenant("near", addresses=["127.0.0.8/29"]), tenant("far", addresses=["127.0.0.1"])])
    port = running.port()
    assert who_serves(Pop3(port, source="127.0.0.9"), "joe@x.example") == "near"
    assert who_serves(Pop3(port, source="127.0.0.1"), "joe@x.example") == "far"
    assert who_serves(Pop3(port, source="127.0.0.2"), "joe@x.example") == ""


def test_every_criterion_named_must_fit(gateway, tenant):
    logins = ["joe@a.example", "joe@b.example"]
    running = gateway(tenants=[
        tenant("both", logins, domains=["a.example"], addresses=["127.0.0.9"]),
        tenant("rest", logins)])
    port = running.port()
    assert who_serves(Pop3(port, source="127.0.0.9"), "joe@a.example") == "both"
    assert who_serves(Pop3(port, source="127.0.0.9"), "joe@b.example") == "rest"
    assert who_serves(Pop3(port, source="127.0.0.1"), "joe@a.example") == "rest"


def test_tenants_dir(gateway, tenant, directory):
    folder = directory / "tenants"
    folder.mkdir()
    for name in ("b", "a"):
        block = tenant(name, [f"joe@{name}.example"], domains=[f"{name}.example"])
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(block))
    (folder / "ignored.txt").write_text("this: [is no tenant")
    running = gateway(tenants_dir=str(folder), tenants=[])
    assert who_serves(Pop3(running.port()), "joe@a.example") == "a"
    assert who_serves(Pop3(running.port()), "joe@b.example") == "b"
    block = tenant("c", ["joe@c.example"], domains=["c.example"])
    (folder / "c.yaml").write_text(yaml.safe_dump(block))
    running.reload()
    running.wait("reload done")
    assert who_serves(Pop3(running.port()), "joe@c.example") == "c"


def test_one_users_file_and_auth_for_all_tenants(gateway, tenant, directory):
    """What stands at the top is for all tenants; a tenant's own key wins."""
    one = tenant("one", ["joe@a.example"], domains=["a.example"])
    two = tenant("two", ["ann@b.example"], domains=["b.example"])
    users = one.pop("auth")["users_file"]
    running = gateway(auth={"users_file": users}, tenants=[one, two])
    assert who_serves(Pop3(running.port()), "joe@a.example") == "one"
    assert who_serves(Pop3(running.port()), "ann@b.example") == "two"


def test_route_says_the_same(gateway, tenant):
    running = gateway(start=False, tenants=[
        tenant("first", domains=["a.example"]),
        tenant("second", domains=["*.b.example"], addresses=["192.0.2.0/24"]),
        tenant("third", server_names=["pop.c.example"], listeners=["pop3s"]),
    ])

    def route(*arguments):
        return run("route", "-c", running.file, *arguments)

    done = route("joe@a.example")
    assert done.returncode == 0 and "first" in done.stdout
    assert str(running.directory.parent / "first") in done.stdout, "which backend"
    done = route("joe@x.b.example", "--address", "192.0.2.7")
    assert done.returncode == 0 and "second" in done.stdout
    assert "first" in done.stdout + done.stderr, "why the earlier ones did not match"
    done = route("joe@x.b.example", "--address", "198.51.100.1")
    assert done.returncode == 1
    done = route("joe@any.example", "--listener", "pop3s", "--server-name", "pop.c.example")
    assert done.returncode == 0 and "third" in done.stdout
    done = route("joe@any.example", "--listener", "pop3", "--server-name", "pop.c.example")
    assert done.returncode == 1


def test_tenants_do_not_reach_into_each_other(gateway, tenant):
    """The same login name at two tenants: each has its own mail and password."""
    one = tenant("one", ["joe@a.example"], domains=["a.example"])
    two = tenant("two", ["joe@b.example"], domains=["b.example"])
    running = gateway(tenants=[one, two])
    with Pop3(running.port()).login("joe@a.example", PASSWORD) as client:
        first = client.ids()
        client.ok("DELE 1")
        client.quit()
    with Pop3(running.port()).login("joe@b.example", PASSWORD) as client:
        assert client.stat()[0] == 1
        assert len(first) == 1
        client.quit()
    evil = base64.b64encode(f"joe@b.example\0joe@a.example\0{PASSWORD}".encode()).decode()
    with Pop3(running.port()) as client:
        client.err(f"AUTH PLAIN {evil}")
