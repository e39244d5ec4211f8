"""imap.keep_warm: the next poll of the same login costs one SELECT; nobody else gets the connection."""

import pytest

from support import corpus
from support.dovecot import MASTER_USER
from support.gateway import PASSWORD, free_port, password, run
from support.http import Admin
from support.pop3 import Pop3, Refused
from support.scripted_imap import ScriptedImap

MESSAGES = [corpus.message(f"number {n}") for n in range(1, 4)]
WARM = {"imap": {"keep_warm": "10m"}}


def counts(gateway) -> tuple[int, int]:
    """Connections that were made, and logins by one that was there."""
    families = Admin(gateway).families()
    return tuple(int(families[f"popgate_server_{name}"].samples[0].value)
                 for name in ("connects", "reuses"))


@pytest.fixture
def warm(imap, own_dovecot):
    def start(**changes):
        server = own_dovecot()
        served = imap(MESSAGES, server=server, tenant=WARM,
                      admin={"listen": f"127.0.0.1:{free_port()}"}, **changes)
        served.server = server
        return served

    return start


@pytest.mark.parametrize("over", ["none", "starttls", "implicit"])
def test_polls_share_a_connection_and_see_what_is_new(warm, over):
    served = warm(over=over)
    seen = []
    for n in range(4):
        with served.session() as client:
            seen.append(client.stat()[0])
            assert client.retr(1) == MESSAGES[0]
            client.quit()
        served.deliver(corpus.message(f"new {n}"))
    assert seen == [3, 4, 5, 6]
    assert counts(served.gateway) == (1, 3)


def test_what_is_deleted_is_deleted_and_nothing_else(warm):
    """Never by CLOSE: it would take along what others flagged."""
    served = warm()
    flagged = served.user.uids()[0]
    for _ in range(2):
        with served.session() as client:
            client.ok(f"DELE {client.stat()[0]}")
            client.quit()
        served.user.flag(flagged, r"\Deleted")
    with served.session() as client:
        client.quit()
    assert counts(served.gateway) == (1, 2)
    served.gateway.stop()
    assert served.user.uids() == [flagged]
    assert served.user.held()[0][1] == MESSAGES[0]


def test_another_password_is_not_let_in(warm):
    served = warm()
    with served.session() as client:
        client.quit()
    for wrong in ("sEcReT", served.password + "x", served.password[:-1], served.password.lower()):
        with served.connect() as client, pytest.raises(Refused, match=r"\[AUTH\]"):
            client.login(served.login, wrong)
    with served.session() as client:
        client.quit()
    assert counts(served.gateway) == (5, 1)


def test_another_user_of_the_same_password_has_his_own(gateway, own_dovecot):
    server = own_dovecot()
    joe, ann = (server.user(f"{name}@acme.example", password("both")) for name in ("joe", "ann"))
    joe.append(corpus.message("of joe"))
    ann.append(corpus.message("of ann"))
    running = gateway(tenants=[{"name": "acme", "imap": server.as_config(keep_warm="10m")}],
                      admin={"listen": f"127.0.0.1:{free_port()}"})
    for _ in range(3):
        for user, text in ((joe, "of joe"), (ann, "of ann")):
            with Pop3(running.port()).login(user.login, user.password) as client:
                assert client.retr(1) == corpus.message(text)
                client.quit()
    assert counts(running) == (2, 4)


def test_logins_by_the_master_user_are_kept_apart(gateway, own_dovecot, directory, sha512):
    server = own_dovecot()
    users = [server.new_user() for _ in range(2)]
    (directory / "users").write_text("".join(f"{u.login}:{sha512}\n" for u in users))
    (directory / "master").write_text(password(MASTER_USER))
    for user in users:
        user.append(corpus.message(f"of {user.login}"))
    running = gateway(tenants=[{
        "name": "acme",
        "auth": {"users_file": str(directory / "users")},
        "imap": server.as_config(keep_warm="10m", master_user=MASTER_USER,
                                 master_password_file=str(directory / "master")),
    }], admin={"listen": f"127.0.0.1:{free_port()}"})  # fmt: skip
    for _ in range(3):
        for user in users:
            with Pop3(running.port()).login(user.login, PASSWORD) as client:
                assert client.retr(1) == corpus.message(f"of {user.login}")
                client.quit()
    assert counts(running) == (2, 4)
    # The gateway's own check still counts.
    with Pop3(running.port()) as client, pytest.raises(Refused, match=r"\[AUTH\]"):
        client.login(users[0].login, password(users[0].login))


def test_a_server_that_was_restarted_does_not_show(warm):
    served = warm()
    for _ in range(3):
        with served.session() as client:
            assert client.stat()[0] == 3
            client.quit()
        served.server.kill()
        served.server.start()


def test_one_round_trip(gateway):
    """What the server is sent by a poll of an unchanged mailbox that it can tell to be so."""
    server = ScriptedImap(MESSAGES)
    running = gateway(tenants=[{"name": "t", "imap": server.as_config(keep_warm="10m")}])
    commands = []
    for _ in range(2):
        commands.append(len(server.seen))
        with Pop3(running.port()).login("joe@x.example", "sEcReT") as client:
            assert client.stat()[0] == 3
            client.quit()
        running.wait("session closed", count=len(commands))
    names = [name for name, _ in server.seen[commands[1]:]]
    assert names[0] == "SELECT"
    assert "LOGIN" not in names
    assert "CLOSE" not in names
    server.close()


def test_a_gateway_that_ends_takes_leave(warm):
    served = warm(shutdown_grace="1h")
    with served.session() as client:
        client.quit()
    served.gateway.stop()
    served.server.wait_log(f"imap({served.login})", "Logged out")


def test_a_reload_ends_what_the_workers_before_kept(warm):
    served = warm()
    with served.session() as client:
        client.quit()
    before = served.gateway.workers()
    served.gateway.reload()
    served.server.wait_log(f"imap({served.login})", "Logged out")
    served.gateway.wait("ready", count=1)
    with served.session() as client:
        client.quit()
    assert served.gateway.workers() != before


def test_a_probe_does_not_wait(warm):
    """A process that serves nobody keeps nothing."""
    served = warm()
    done = run("probe", served.login, "-c", served.gateway.file, stdin=served.password)
    assert done.returncode == 0, done.stderr
