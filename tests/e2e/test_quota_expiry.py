"""The store's quota and the notice of it; messages that expire; delays between logins."""

import base64
import email
import email.policy
import email.utils
import itertools
import re
import time

import pytest

from support import corpus, registry
from support.dovecot import Dovecot, fetch_all
from support.gateway import PASSWORD, password, run
from support.maildir import Maildir
from support.pop3 import Pop3
from support.scripted_imap import ScriptedImap

THREE = [corpus.message(f"number {n}") for n in range(1, 4)]

# Quota

QUOTA = """
mail_plugins = $mail_plugins quota
protocol imap {
  mail_plugins = $mail_plugins imap_quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=100K:messages=100
}
"""


@pytest.fixture(scope="session")
def quota_dovecot(shared_directory, certificate):
    """A Dovecot that gives every user 100 KiB and 100 messages."""
    server = Dovecot(shared_directory / "quota", certificate, extra=QUOTA).start()
    yield server
    server.stop()


class Quota:
    """A mailbox with a quota of 100 KiB, in the store's own way, and a gateway before it."""

    def __init__(self, request):
        self.request = request

    def __call__(self, kibibytes: int, messages=(), **options):
        """The mailbox holds the messages, and is filled up to so many KiB."""
        if self.request.param == "imap":
            messages = [*messages, filler(kibibytes - sum(map(len, messages)) / 1024)]
            options["server"] = self.request.getfixturevalue("quota_dovecot")
        self.served = self.request.getfixturevalue(
            "imap" if self.request.param == "imap" else "local")(messages, **options)
        self.fill(kibibytes)
        return self.served

    def fill(self, kibibytes: int) -> None:
        """Changes how full it is."""
        if self.request.param == "maildir":
            file = self.served.maildir.path / "maildirsize"
            file.write_text(f"102400S,100C\n0 0\n{kibibytes * 1024} 3\n")
            return
        with self.served.user.client() as client:
            sizes = {uid: len(octets) for uid, octets in fetch_all(client)}
        last = max(sizes)
        self.served.user.expunge(last)
        self.served.user.append(filler(kibibytes - (sum(sizes.values()) - sizes[last]) / 1024))


def filler(kibibytes: float) -> bytes:
    """A message of about this size, by whatever line ends it is counted."""
    return corpus.message("filler", (b"x" * 510 + b"\r\n") * int(kibibytes * 2))


@pytest.fixture(params=["maildir", "imap"])
def quota(request):
    return Quota(request)


def warned(**options) -> dict:
    return {"tenant": {"maildrop": {"quota_warning": 90, **options}}}


def percent(text: str) -> int:
    return int(re.search(r"(\d+)%", text)[1])


def notices(client: Pop3) -> list[int]:
    """The numbers of the gateway's own messages."""
    return [n for n in client.sizes() if b"\r\nAuto-Submitted: auto-generated\r\n" in client.top(n, 0)]


def probe(served) -> str:
    done = run("probe", served.login, "-c", served.gateway.file, stdin=served.password)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("quota"))


def test_probe_shows_the_quota(quota):
    served = quota(50)
    row = probe(served)
    assert 45 <= percent(row) <= 52, row
    assert "of 102400 octets" in row and "of 100 messages" in row, row


def test_probe_says_that_there_is_no_quota(either):
    assert "none" in probe(either(THREE))


def test_the_log_of_a_login_shows_the_quota(quota):
    served = quota(95, **warned())
    with served.session() as client:
        client.quit()
    assert 92 <= int(served.gateway.wait("login")["quota_percent"]) <= 97


def test_an_imap_server_is_asked_for_it_only_where_a_warning_is_set(gateway):
    server = ScriptedImap(THREE, capabilities="IMAP4rev1 UIDPLUS MOVE QUOTA")

    def answer(peer, _):
        peer.untagged('QUOTAROOT "INBOX" "r"')
        peer.untagged('QUOTA "r" (STORAGE 50 100)')
        peer.ok()

    server.on["GETQUOTAROOT"] = answer
    for quota_warning, times in ((0, 0), (90, 1)):
        running = gateway(tenants=[{
            "name": "t", "imap": server.as_config(), "maildrop": {"quota_warning": quota_warning},
        }])  # fmt: skip
        with Pop3(running.port()).login("joe@x.example", "sEcReT of joe") as client:
            assert client.stat()[0] == 3
            client.quit()
        row = running.wait("login")
        assert row.get("quota_percent") == ("50" if times else None)
        assert server.commands("GETQUOTAROOT") == ['"INBOX"'] * times
    server.close()


@pytest.mark.parametrize("answer", [
    lambda peer, _: peer.no("[NOPERM] not for you"),
    lambda peer, _: peer.bad("what?"),
    lambda peer, _: (peer.untagged('QUOTA "r" (STORAGE 99 ninety'), peer.ok()),
])  # fmt: skip
def test_a_server_that_does_not_tell_keeps_nobody_out(gateway, answer):
    server = ScriptedImap(THREE, capabilities="IMAP4rev1 UIDPLUS MOVE QUOTA")
    server.on["GETQUOTAROOT"] = answer
    running = gateway(tenants=[{
        "name": "t", "imap": server.as_config(), "maildrop": {"quota_warning": 90},
    }])  # fmt: skip
    with Pop3(running.port()).login("joe@x.example", "sEcReT of joe") as client:
        assert client.stat()[0] == 3
        client.quit()
    server.close()


# The notice


def test_a_notice_is_the_last_message(quota):
    served = quota(95, THREE, **warned(notice_from="help@pop.example"))
    held = served.held()
    with served.session() as client:
        sizes = client.sizes()
        assert notices(client) == [held + 1] == [max(sizes)]
        octets = client.retr(held + 1)
        assert len(octets) == sizes[held + 1]
        assert client.stat() == (held + 1, sum(sizes.values()))
        head, _, body = octets.partition(b"\r\n\r\n")
        assert client.top(held + 1, 0) == head + b"\r\n\r\n"
        assert client.top(held + 1, 1) == head + b"\r\n\r\n" + body.splitlines(True)[0]
        client.quit()
    assert served.held() == held, "it is the gateway's own"
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert not message.defects
    assert message["From"].addresses[0].addr_spec == "help@pop.example"
    assert message["To"].addresses[0].addr_spec == served.login
    assert 92 <= percent(message["Subject"]) <= 97
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@pop.example>")
    sent = email.utils.parsedate_to_datetime(message["Date"]).timestamp()
    assert abs(time.time() - sent) < 3600, "of today"
    assert "of 100.0 KB used" in message.get_content()
    assert "of 100 used" in message.get_content()


def test_below_the_warning_there_is_no_notice(quota):
    served = quota(60, THREE, **warned())
    with served.session() as client:
        assert notices(client) == []
        client.quit()
    quota.fill(95)
    with served.session() as client:
        assert len(notices(client)) == 1


def test_without_a_warning_there_is_no_notice(quota):
    served = quota(95, THREE)
    with served.session() as client:
        assert notices(client) == []


def test_all_sessions_of_a_day_show_the_same_notice(quota):
    served = quota(95, THREE, workers=2, **warned())
    seen = []
    with served.session() as one, served.session() as other:
        for client in (one, other):
            (number,) = notices(client)
            seen.append((client.ids()[number], client.retr(number)))
    quota.fill(98)
    served.gateway.stop()
    served.gateway.start()
    with served.session() as client:
        (number,) = notices(client)
        seen.append((client.ids()[number], client.retr(number)))
    assert seen == seen[:1] * 3


def test_its_unique_id_is_nobody_elses(quota):
    served = quota(95, THREE, **warned())
    with served.session() as client:
        before = client.ids()
        client.quit()
    served.deliver(*THREE)
    with served.session() as client:
        after = client.ids()
        assert set(before.values()) <= set(after.values())
        assert len(set(after.values())) == len(after) == len(before) + 3
        assert all(re.fullmatch(r"[0-9]{1,70}", unique) for unique in after.values())


def another_day(served) -> None:
    """Sets the last notice back by a day."""
    with registry.written(served.gateway.config["state"]) as state:
        done = state.execute("UPDATE message SET arrival = arrival - 86401 WHERE key LIKE 'quota %'")
        assert done.rowcount == 1
        state.execute("UPDATE maildrop SET revision = revision + 1")


def test_a_deleted_notice_stays_away_until_the_next_day(quota):
    served = quota(95, THREE, **warned(on_delete="ignore"))
    held = served.held()
    with served.session() as client:
        (number,) = notices(client)
        unique = client.ids()[number]
        client.ok(f"DELE {number}")
        assert client.stat()[0] == held
        client.ok("RSET")
        assert client.stat()[0] == held + 1
        client.ok(f"DELE {number}")
        client.close()
    served.gateway.wait("session closed", reason="client closed the connection")
    with served.session() as client:
        assert client.ids()[number] == unique, "there was no QUIT"
        client.ok(f"DELE {number}")
        client.quit()
    served.gateway.wait("deleted", unique_id=unique, login=served.login)
    with served.session() as client:
        assert notices(client) == []
        client.quit()
    another_day(served)
    with served.session() as client:
        assert notices(client) == [number]
        assert client.ids()[number] != unique
        client.quit()
    assert served.held() == held


def test_a_notice_goes_together_with_messages(quota):
    served = quota(95, THREE, **warned())
    held = served.held()
    with served.session() as client:
        (number,) = notices(client)
        client.ok("DELE 1")
        client.ok(f"DELE {number}")
        client.quit()
    quota.fill(95)
    with served.session() as client:
        assert client.stat()[0] == held - 1


def test_newest_first_begins_with_the_notice(quota):
    served = quota(95, THREE, **warned(order="newest_first", max_messages=2))
    with served.session() as client:
        assert notices(client) == [1]
        assert client.stat()[0] == 3, "it counts as no part of max_messages"


# Expiry


def now(n=itertools.count()) -> str:
    """A name for a message that comes now."""
    return f"{int(time.time())}.M{next(n)}P1.test"


def deliver_new(served, *messages: bytes) -> None:
    """What both stores say came today; the fixtures' messages came in 2023."""
    if hasattr(served, "user"):
        served.user.append(*messages)
    else:
        for message in messages:
            served.maildir.deliver(message, name=now())


def expiring(**options) -> dict:
    return {"tenant": {"maildrop": {"expire_after": "30d", **options}}}


NEW = [corpus.message("of today"), corpus.message("of today, too")]


def test_old_messages_expire_at_quit(either):
    served = either(THREE, **expiring())
    deliver_new(served, *NEW)
    with served.session() as client:
        assert "EXPIRE 30" in client.capabilities()
        ids = client.ids()
        assert client.retr(1) == THREE[0], "in this session they are there"
        assert client.stat()[0] == 5
        client.ok("DELE 2")
        client.ok("DELE 5")
        client.quit()
    with served.session() as client:
        assert list(client.ids().values()) == [ids[4]]
        assert client.retr(1) == NEW[0]
        client.quit()
    assert served.held() == 1
    served.gateway.wait("session closed", 2, login=served.login)
    rows = served.gateway.events("expired", login=served.login, address="127.0.0.1")
    assert {row["unique_id"] for row in rows} == {ids[1], ids[3]}
    assert all(row["arrival"].startswith("2023-11-14T22:13:2") for row in rows)
    assert all(int(row["age_days"]) > 365 for row in rows)
    rows = served.gateway.events("deleted", login=served.login)
    assert {row["unique_id"] for row in rows} == {ids[2], ids[5]}


def test_nothing_expires_without_quit(either):
    served = either(THREE, **expiring())
    with served.session() as client:
        client.ok("DELE 1")
        client.close()
    served.gateway.wait("session closed")
    assert served.held() == 3


def test_nothing_expires_by_default(either):
    served = either(THREE)
    with served.session() as client:
        assert "EXPIRE NEVER" in client.capabilities()
        client.quit()
    assert served.held() == 3


def test_what_came_after_the_login_does_not_expire(either):
    served = either(THREE, **expiring())
    with served.session() as client:
        served.deliver(corpus.message("old, but not seen here"))
        client.quit()
    assert served.held() == 1


def test_expired_messages_go_where_on_delete_says(either):
    served = either(THREE, **expiring(on_delete="trash"))
    with served.session() as client:
        client.quit()
    assert served.held() == 0
    if hasattr(served, "user"):
        with served.user.client("Trash") as other:
            assert sorted(octets for _, octets in fetch_all(other)) == sorted(THREE)
    else:
        assert sorted(Maildir(served.maildir.path / ".Trash").messages()) == sorted(THREE)


def test_a_store_that_keeps_the_expired_is_no_failure_of_quit(gateway):
    server = ScriptedImap(THREE)
    server.on["UID STORE"] = lambda peer, arguments: peer.no("[SERVERBUG] not now")
    running = gateway(tenants=[{
        "name": "t", "imap": server.as_config(), "maildrop": {"expire_after": "30d"},
    }])  # fmt: skip
    with Pop3(running.port()).login("joe@x.example", "sEcReT of joe") as client:
        client.quit()
    assert "not now" in running.wait("update incomplete")["detail"]
    assert running.events("expired") == []
    assert len(server.messages) == 3
    server.close()


def test_expired_and_marked_messages_go_by_one_command(gateway):
    server = ScriptedImap(THREE)
    running = gateway(tenants=[{
        "name": "t", "imap": server.as_config(), "maildrop": {"expire_after": "30d"},
    }])  # fmt: skip
    with Pop3(running.port()).login("joe@x.example", "sEcReT of joe") as client:
        client.ok("DELE 2")
        client.quit()
    assert server.commands("UID EXPUNGE") == ["1:3"]
    server.close()


# What CAPA says where tenants differ


@pytest.fixture
def tenants(maildir_tenant):
    """The blocks of two tenants; the second one's user is zoe@other.example."""

    def make(first: dict, second: dict, **match) -> list[dict]:
        maildir_tenant.add_user("zoe@other.example")
        Maildir(maildir_tenant.users.parent / "mail/other.example/zoe/Maildir")
        return [
            maildir_tenant(maildrop=first),
            maildir_tenant(name="other", match={"domains": ["other.example"], **match},
                           maildrop=second),
        ]  # fmt: skip

    return make


def policies(client: Pop3) -> list[str]:
    return [row for row in client.capabilities() if row.startswith(("EXPIRE", "LOGIN-DELAY"))]


@pytest.mark.parametrize("first, second, before, joes, zoes", [
    ({}, {}, ["EXPIRE NEVER"], ["EXPIRE NEVER"], ["EXPIRE NEVER"]),
    ({"expire_after": "30d", "login_delay": "5m"}, {"expire_after": "30d", "login_delay": "5m"},
     ["EXPIRE 30", "LOGIN-DELAY 300"], ["EXPIRE 30", "LOGIN-DELAY 300"],
     ["EXPIRE 30", "LOGIN-DELAY 300"]),
    ({"expire_after": "60d", "login_delay": "1500ms"}, {"expire_after": "35h"},
     ["EXPIRE 1 USER", "LOGIN-DELAY 2 USER"], ["EXPIRE 60", "LOGIN-DELAY 2"], ["EXPIRE 1"]),
    ({"expire_after": "60d"}, {"login_delay": "1m"},
     ["EXPIRE 60 USER", "LOGIN-DELAY 60 USER"], ["EXPIRE 60"],
     ["EXPIRE NEVER", "LOGIN-DELAY 60"]),
])  # fmt: skip
def test_capa_tells_the_strictest_before_the_login_and_ones_own_after(
        gateway, tenants, first, second, before, joes, zoes):
    running = gateway(tenants=tenants(first, second))
    for login, own in (("joe@local.example", joes), ("zoe@other.example", zoes)):
        with Pop3(running.port()) as client:
            assert policies(client) == before
            client.login(login, PASSWORD)
            assert policies(client) == own


def test_capa_tells_nothing_of_tenants_of_other_listeners(gateway, tenants):
    running = gateway(tenants=tenants({}, {"expire_after": "1d", "login_delay": "1h"},
                                      listeners=["pop3s"]))  # fmt: skip
    with Pop3(running.port()) as client:
        assert policies(client) == ["EXPIRE NEVER"]


# Delays between logins


def delayed(delay: str = "1h") -> dict:
    return {"tenant": {"maildrop": {"login_delay": delay}}}


def attempt(client: Pop3, login: str, secret: str) -> str:
    client.ok(f"USER {login}")
    return client.command(f"PASS {secret}")


def test_a_login_too_soon_is_refused(either):
    served = either(THREE, workers=2, **delayed())
    with served.session() as client:
        client.quit()
    for _ in range(4):  # whichever worker takes the connection
        with served.connect() as client:
            assert "LOGIN-DELAY 3600" in client.capabilities()
            assert attempt(client, served.login, served.password).startswith("-ERR [LOGIN-DELAY] ")
            plain = base64.b64encode(f"\0{served.login}\0{served.password}".encode()).decode()
            assert client.command(f"AUTH PLAIN {plain}").startswith("-ERR [LOGIN-DELAY] ")
            client.quit()
    row = served.gateway.wait("login failed", error="too-soon")
    assert row["login"] == served.login


def test_only_who_knows_the_password_hears_of_the_delay(either):
    served = either(THREE, **delayed())
    with served.session() as client:
        client.quit()
    with served.connect() as client:
        assert attempt(client, served.login, "guess").startswith("-ERR [AUTH] ")
        assert attempt(client, "nobody@nowhere.example", "guess").startswith("-ERR [AUTH] ")


def test_refused_logins_do_not_count(local, maildir_tenant):
    served = local(THREE, **delayed())
    with served.connect() as client:
        assert attempt(client, served.login, "guess").startswith("-ERR [AUTH] ")
        assert attempt(client, served.login, served.password).startswith("+OK")
    # Right, but its maildrop does not open.
    maildir_tenant.add_user("ann@local.example")
    with served.connect() as client:
        assert attempt(client, "ann@local.example", PASSWORD).startswith("-ERR [SYS/PERM] ")
        maildir_tenant.maildir("ann")
        assert attempt(client, "ann@local.example", PASSWORD).startswith("+OK")


def test_each_user_has_a_delay_of_its_own(local, maildir_tenant):
    served = local(THREE, **delayed())
    maildir_tenant.add_user("ann@local.example")
    maildir_tenant.maildir("ann")
    with served.session() as client:
        client.quit()
    with served.connect() as client:
        assert attempt(client, "ann@local.example", PASSWORD).startswith("+OK")
    with served.connect() as client:
        assert attempt(client, "JOE@local.example", PASSWORD).startswith("-ERR [LOGIN-DELAY] ")


def test_after_the_delay_the_login_is_taken(local):
    served = local(THREE, **delayed("1s"))
    start = time.monotonic()
    with served.session() as client:
        client.quit()
    while True:
        with served.connect() as client:
            if attempt(client, served.login, served.password).startswith("+OK"):
                break
    assert time.monotonic() - start > 0.9, "not before"


def test_a_reload_forgets_no_login(local):
    served = local(THREE, **delayed())
    with served.session() as client:
        client.quit()
    served.gateway.reload()
    served.gateway.wait("reload done")
    with served.connect() as client:
        assert attempt(client, served.login, served.password).startswith("-ERR [LOGIN-DELAY] ")


def test_without_a_delay_logins_follow_each_other(either):
    served = either(THREE)
    for _ in range(3):
        with served.session() as client:
            assert not any(row.startswith("LOGIN-DELAY") for row in client.capabilities())
            client.quit()
