"""popgate who: the live sessions, and closing one of them."""

import json

import pytest
from support import corpus
from support.gateway import free_port, password, run
from support.http import Admin


@pytest.fixture
def served(local):
    running = local([corpus.message("one"), corpus.message("two")],
                    admin={"listen": f"127.0.0.1:{free_port()}"})
    running.admin = Admin(running.gateway)
    return running


def who(served, *options):
    return run("who", "-c", served.gateway.file, *options)


def sessions(served) -> list[dict]:
    done = who(served, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["sessions"]


def test_nobody_is_there(served):
    assert who(served).stdout == "no sessions\n"
    assert sessions(served) == []


def test_who_is_there(served):
    with served.session() as one, served.connect() as two:
        assert two.greeting.startswith("+OK")
        first, second = sessions(served)
        assert first["login"] == served.login
        assert (first["tenant"], first["listener"], first["state"]) == ("local", "pop3", "open")
        assert first["address"] == "127.0.0.1"
        assert (second["login"], second["tenant"], second["state"]) == ("", "", "greeted")
        # The same name as in the log.
        assert served.gateway.wait("login")["session"] == first["id"]
        title, *rows = who(served).stdout.splitlines()
        assert title.split() == "ID LOGIN TENANT ADDRESS STATE AGE RECEIVED SENT".split()
        assert rows[0].split()[:5] == [first["id"], served.login, "local", "127.0.0.1", "open"]
        assert rows[1].split()[1:3] == ["-", "-"]
        assert one.stat()[0] == 2


def test_octets_of_a_live_session_are_told(served):
    with served.session() as client:
        sent = len(client.retr(1))
        while sessions(served)[0]["sent_bytes"] < sent:  # workers tell it every two seconds
            client.ok("NOOP")
        assert sessions(served)[0]["received_bytes"] > 0


def test_a_closed_session_is_told_and_deletes_nothing(served):
    with served.session() as client, served.session() as other:
        client.ok("DELE 1")
        wanted = sessions(served)[0]["id"]
        done = who(served, "--close", wanted)
        assert (done.returncode, done.stdout) == (0, f"{wanted}: closed\n")
        assert "administrator" in client.reply()
        client.closed()
        assert other.stat()[0] == 2, "the others go on"
    closed = served.gateway.wait("session closed", session=wanted)
    assert closed["reason"] == "closed by the administrator"
    assert served.gateway.wait("session closed by the administrator")["session"] == wanted
    assert served.held() == 2


def test_closing_under_tls(served):
    with served.secure() as client:
        assert who(served, "--close", sessions(served)[0]["id"]).returncode == 0
        assert client.reply().startswith("-ERR [SYS/TEMP]")


def test_closing_in_the_midst_of_a_message_never_completes_it(local):
    served = local([corpus.large(30_000_000)], admin={"listen": ""})
    with served.session() as client:
        client.send(b"RETR 1\r\n")
        assert client.reply().startswith("+OK")
        wanted = sessions(served)[0]["id"]
        assert who(served, "--close", wanted).returncode == 0
        rest = client.rest()
        assert not rest.endswith(b"\r\n.\r\n")
        assert b"-ERR" not in rest
    assert served.gateway.wait("session closed")["reason"] == "closed by the administrator"


def test_a_session_of_an_old_generation_can_be_closed(served):
    with served.session() as client:
        served.gateway.reload()
        served.gateway.wait("reload done")
        assert who(served, "--close", sessions(served)[0]["id"]).returncode == 0
        assert "administrator" in client.reply()


def test_no_such_session(served):
    done = who(served, "--close", "00000000-1")
    assert (done.returncode, done.stderr) == (1, "popgate: there is no such session\n")
    assert who(served, "--close", "../../x").returncode == 2


def test_closing_needs_the_socket(served):
    """Over TCP nothing can be closed, whoever asks."""
    with served.session() as client:
        path = f"/api/sessions/{sessions(served)[0]['id']}/close"
        assert served.admin.ask(path, "POST").status == 403
        assert served.admin.ask(path).status == 405
        assert client.stat()[0] == 2
        assert served.admin.ask(path, "POST", local=True).status == 202
        assert "administrator" in client.reply()


def test_no_other_page_can_close(served):
    """A page of elsewhere, in a browser that reaches the socket by a tunnel, cannot either."""
    with served.session() as client:
        path = f"/api/sessions/{sessions(served)[0]['id']}/close"
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                        {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}):
            answer = served.admin.ask(path, "POST", local=True, Host="localhost:9110", **headers)
            assert answer.status == 403, headers
        assert served.admin.ask(path, "POST", local=True, Host="evil.example").status == 421
        assert client.stat()[0] == 2
        answer = served.admin.ask(path, "POST", local=True, Host="localhost:9110", Accept="text/html",
                                  Origin="http://localhost:9110", Sec_Fetch_Site="same-origin")
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert "administrator" in client.reply()


def test_the_socket_is_for_its_owner_alone(served):
    assert served.admin.socket.stat().st_mode & 0o777 == 0o600


def test_the_socket_of_a_dead_gateway_is_taken_over(served):
    served.gateway.kill()
    assert served.admin.socket.exists()
    served.gateway.start()
    assert served.admin.ask("/healthz", local=True).status == 200
    served.gateway.stop()
    assert not served.admin.socket.exists()


def test_a_login_is_text_everywhere(served, maildir_tenant):
    odd = 'joe"<b>&@local.example'
    maildir_tenant.add_user(odd)
    maildir_tenant.maildir('joe"<b>&')
    with served.connect() as client:
        client.login(odd, served.password)
        assert sessions(served)[0]["login"] == odd
        assert odd in who(served).stdout
        page = served.admin.ask("/").text
        assert "joe&quot;&lt;b&gt;&amp;@local.example</bdi>" in page and "<b>" not in page


def test_nobody_runs(gateway, maildir_tenant):
    instance = gateway(start=False, tenants=[maildir_tenant()],
                       admin={"listen": f"127.0.0.1:{free_port()}"})
    done = run("who", "-c", instance.file)
    assert done.returncode == 1 and "no answer at 127.0.0.1:" in done.stderr
    done = run("who", "-c", instance.file, "--close", "1-1")
    assert done.returncode == 1 and "admin.sock" in done.stderr


def test_help_and_usage():
    assert run("who", "--help").stdout.startswith("Usage: popgate who")
    assert run("who", "more").returncode == 2
