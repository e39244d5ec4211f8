"""UTF8 and LANG (RFC 6856), and the headers that a client without UTF8 gets (RFC 6858)."""

import email
import email.header
import email.policy
import poplib
import unicodedata

import pytest

from support import corpus
from support.corpus import wire
from support.gateway import SECRET, merge, run
from support.hashes import crypt_of
from support.pop3 import Pop3, Refused

ON = {"maildrop": {"utf8": True}}
INVALID = "<invalid@internationalized-address.invalid>"

BODY = "Schöne Grüße, 你好 🙂\r\n.\r\nSubject: kein Kopf: ü\r\n".encode()
MESSAGE = "\r\n".join([
    "Return-Path: <jörg@grüße.example>",
    "Received: from mx.sender.example for <jörg@grüße.example>",
    "From: Jörg Müller <jörg@grüße.example>",
    'To: "Joe, äh" <joe@local.example>, ann@local.example',
    "Subject: Re: Grüße aus dem schönen München",
    "Message-ID: <jörg.1@sender.example>",
    "Date: Mon, 06 Jan 2025 10:00:00 +0000",
    'Content-Type: text/plain; charset="utf-8"; name="Grüße.txt"',
    "Content-Transfer-Encoding: 8bit",
    "X-Plain: stays  as it is",
    "", ""]).encode() + BODY  # fmt: skip


def connect(served, utf8: bool) -> Pop3:
    client = served.connect()
    if utf8:
        client.ok("UTF8")
    return client.login(served.login, served.password)


def octets_told(reply: str) -> int:
    return int(reply.split(" ")[0])


# What is announced (RFC 6856 sections 2 and 3)


def test_capa_announces_utf8_and_lang_in_both_states(local):
    served = local(tenant=ON)
    with served.connect() as client:
        assert {"UTF8 USER", "LANG"} <= set(client.capabilities())
        client.login(served.login, served.password)
        assert {"UTF8 USER", "LANG"} <= set(client.capabilities())
        client.quit()


def test_capa_announces_neither_by_default(local):
    served = local()
    with served.connect() as client:
        for _ in range(2):
            assert not [c for c in client.capabilities() if c.startswith(("UTF8", "LANG"))]
            assert "not offered" in client.err("LANG")
            if not client.err("UTF8").startswith("this command belongs"):
                client.login(served.login, served.password)
        client.quit()


def test_capa_says_utf8_without_user_where_passwords_are_not_taken(local):
    served = local(tenant=merge(ON, {"auth": {"mechanisms": ["plain"]}}))
    with served.connect() as client:
        assert "UTF8" in client.capabilities()


def test_before_login_a_listener_offers_what_some_tenant_of_it_has(gateway, maildir_tenant, tls):
    served = gateway(tenants=[
        maildir_tenant(),
        maildir_tenant(name="other", match={"domains": ["other.example"], "listeners": ["pop3s"]},
                       maildrop={"utf8": True}),
    ])  # fmt: skip
    with Pop3(served.port("pop3")) as client:
        assert "LANG" not in client.capabilities()
        client.err("UTF8")
    with Pop3(served.port("pop3s"), tls=tls) as client:
        assert "LANG" in client.capabilities()
        client.ok("UTF8")
        client.login("joe@local.example", f"{SECRET} of joe")
        assert "LANG" not in client.capabilities()
        assert "not offered" in client.err("LANG")
        client.quit()


# The UTF8 command (section 2.1)


def test_utf8_gives_messages_as_they_are_stored(either):
    served = either([MESSAGE], tenant=ON)
    with connect(served, utf8=True) as client:
        assert client.retr(1) == MESSAGE
        assert client.top(1, 1) == corpus.top(MESSAGE, 1)
        client.quit()


def test_poplib_reads_a_message_in_utf8(either):
    served = either([MESSAGE], tenant=ON)
    client = poplib.POP3("127.0.0.1", served.gateway.port("pop3"))
    assert {"UTF8", "LANG"} <= set(client.capa())
    client.utf8()
    client.user(served.login)
    client.pass_(served.password)
    lines = client.retr(1)[1]
    assert b"\r\n".join(lines) + b"\r\n" == MESSAGE
    client.quit()


def test_utf8_twice_is_as_once(local):
    served = local([MESSAGE], tenant=ON)
    with served.connect() as client:
        client.ok("UTF8")
        client.ok("utf8")
        client.login(served.login, served.password)
        assert client.retr(1) == MESSAGE
        client.quit()


def test_utf8_belongs_before_the_login_and_has_no_argument(local):
    served = local(tenant=ON)
    with served.connect() as client:
        client.err("UTF8 USER")
        client.login(served.login, served.password)
        client.err("UTF8")
        client.quit()


def test_no_stls_after_utf8(local):
    served = local(tenant=ON)
    with served.connect() as client:
        assert "STLS" in client.capabilities()
        client.ok("UTF8")
        assert "STLS" not in client.capabilities()
        client.err("STLS")
        client.login(served.login, served.password)
        client.quit()


def test_utf8_after_stls(local):
    served = local([MESSAGE], tenant=ON)
    with served.connect() as client:
        client.ok("STLS")
        client.start_tls(served.tls)
        client.ok("UTF8")
        client.login(served.login, served.password)
        assert client.retr(1) == MESSAGE
        client.quit()


# Without UTF8: the downgraded form


def test_without_utf8_no_header_holds_anything_but_ascii(either):
    served = either([MESSAGE], tenant=ON)
    with connect(served, utf8=False) as client:
        head, _, body = client.retr(1).partition(b"\r\n\r\n")
        client.quit()
    assert head.isascii()
    assert body == BODY
    assert max(map(len, head.split(b"\r\n"))) <= 76


def test_without_utf8_the_header_still_tells_what_it_told(either):
    served = either([MESSAGE], tenant=ON)
    with connect(served, utf8=False) as client:
        octets = client.retr(1)
        client.quit()
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert message["Subject"] == "Re: Grüße aus dem schönen München"
    assert [(a.display_name, a.addr_spec) for a in message["To"].addresses] == [
        ("Joe, äh", "joe@local.example"), ("", "ann@local.example")]  # fmt: skip
    assert message.get_filename() == "Grüße.txt"
    assert message.get_content_charset() == "utf-8"
    assert b"\r\nX-Plain: stays  as it is\r\n" in octets


def test_without_utf8_an_internationalized_address_becomes_an_invalid_one(either):
    served = either([MESSAGE], tenant=ON)
    with connect(served, utf8=False) as client:
        message = email.message_from_bytes(client.retr(1))
        client.quit()
    assert message["From"].endswith(INVALID)
    shown = str(email.header.make_header(email.header.decode_header(message["From"])))
    assert shown.startswith("Jörg Müller (jörg@grüße.example)")
    assert message["Return-Path"] == INVALID


def test_without_utf8_fields_that_have_no_form_in_ascii_are_left_out(either):
    served = either([MESSAGE], tenant=ON)
    with connect(served, utf8=False) as client:
        message = email.message_from_bytes(client.retr(1))
        client.quit()
    assert "Received" not in message
    assert "Message-ID" not in message
    assert message["Date"] == "Mon, 06 Jan 2025 10:00:00 +0000"


def test_top_counts_the_lines_of_the_body_that_it_sends(either):
    served = either([MESSAGE], tenant=ON)
    with connect(served, utf8=False) as client:
        whole = client.retr(1)
        for lines in (0, 1, 2, 99):
            assert client.top(1, lines) == corpus.top(whole, lines)
        client.quit()


def test_without_utf8_headers_in_ascii_arrive_octet_for_octet(local, odd_messages):
    served = local(odd_messages, tenant=ON)
    with connect(served, utf8=False) as client:
        for number, stored in enumerate(odd_messages, 1):
            got, expected = client.retr(number), wire(stored)
            head, _, body = expected.partition(b"\r\n\r\n")
            if head.isascii():
                assert got == expected, number
            else:
                assert got.partition(b"\r\n\r\n")[0].isascii()
                assert got.partition(b"\r\n\r\n")[2] == body, number
        client.quit()


def test_octets_that_are_no_utf8_are_marked_as_unknown(local):
    served = local([b"Subject: caf\xe9\r\n\r\ncaf\xe9\r\n"], tenant=ON)
    with connect(served, utf8=False) as client:
        assert client.retr(1) == b"Subject: =?unknown-8bit?Q?caf=E9?=\r\n\r\ncaf\xe9\r\n"
        client.quit()


def test_with_utf8_off_every_client_gets_what_is_stored(either):
    served = either([MESSAGE])
    with connect(served, utf8=False) as client:
        assert client.retr(1) == MESSAGE
        client.quit()


# Sizes


def test_retr_tells_the_octets_that_it_sends(either):
    served = either([MESSAGE, MESSAGE.replace(b"\r\n", b"\n")], tenant=ON)
    for utf8 in (False, True):
        with connect(served, utf8) as client:
            for number in (1, 2):
                told = octets_told(client.ok(f"RETR {number}"))
                assert told == len(client.unstuff(client.multiline_raw()))
            client.quit()


def test_list_tells_the_stored_size_and_no_downgraded_retr_changes_it(either):
    served = either([MESSAGE], tenant=ON)
    for utf8 in (False, True, False):
        with connect(served, utf8) as client:
            assert client.sizes() == {1: len(MESSAGE)}
            assert client.stat() == (1, len(MESSAGE))
            client.retr(1)
            client.quit()


# A message that cannot be downgraded (section 5)


def test_a_header_too_long_to_downgrade_is_refused_with_utf8(either):
    long = b"X-Long: " + b"\r\n ".join([b"x" * 70] * 4000) + b"\r\n"
    message = "Subject: ü\r\n".encode() + long + b"\r\nbody\r\n"
    plain = b"Subject: u\r\n" + long + b"\r\nbody\r\n"
    served = either([message, plain], tenant=ON)
    with connect(served, utf8=False) as client:
        assert client.err("RETR 1").startswith("[UTF8] ")
        assert client.err("TOP 1 0").startswith("[UTF8] ")
        assert client.retr(2) == plain
        client.ok("LIST 1")
        client.quit()
    with connect(served, utf8=True) as client:
        assert client.retr(1) == message
        client.quit()


def test_a_message_that_was_refused_is_not_marked_as_seen(imap):
    message = "Subject: ü\r\n".encode() + b"X-Long: x\r\n" * 30_000 + b"\r\nbody\r\n"
    served = imap([message], tenant=ON)
    with connect(served, utf8=False) as client:
        client.err("RETR 1")
        client.quit()
    assert [flags for _, flags in served.user.flags() if "Seen" in flags] == []


# Names and passwords (section 2.2)

PASSWORD = f"{SECRET} Wörter"
LOGIN = "jörg@local.example"


@pytest.fixture
def joerg(maildir_tenant):
    """A user whose name and password are not ASCII."""
    maildir_tenant.add_user(LOGIN, crypt_of("$6$rounds=1000$saltsalt$", PASSWORD))
    maildir_tenant.maildir("jörg").deliver(MESSAGE)


def test_user_and_pass_take_utf8_before_and_after_the_command(local, joerg):
    served = local(tenant=ON)
    for utf8 in (False, True):
        with served.connect() as client:
            if utf8:
                client.ok("UTF8")
            client.login(LOGIN, PASSWORD)
            assert client.stat()[0] == 1
            client.quit()


def test_names_and_passwords_are_prepared(local, joerg):
    served = local(tenant=ON)
    with served.connect() as client:
        client.login(*(unicodedata.normalize("NFD", text) for text in (LOGIN, PASSWORD)))
        client.quit()


def test_without_utf8_nothing_is_prepared(local, joerg):
    served = local()
    with served.connect() as client:
        client.ok(f"USER {LOGIN}")
        client.err("PASS " + unicodedata.normalize("NFD", PASSWORD))
        client.login(LOGIN, PASSWORD)
        client.quit()


@pytest.fixture
def old(maildir_tenant):
    """Users whose right passwords are what RFC 6856 refuses, as made before it was on."""
    passwords = {
        "latin@local.example": f"{SECRET} caf\xe9".encode("latin-1"),
        "surrogate@local.example": SECRET.encode() + b"\xed\xa0\x80",
        "private@local.example": f"{SECRET}\ue000".encode(),
    }
    for login, password in passwords.items():
        done = run("users", "set", "--file", maildir_tenant.users, login, stdin=password)
        assert done.returncode == 0, done.stderr
        maildir_tenant.maildir(login.partition("@")[0])
    return passwords


@pytest.mark.parametrize("utf8", [False, True])
def test_malformed_and_prohibited_passwords_are_refused(local, old, utf8):
    """With the command or without it: the capability names USER."""
    served = local(tenant=ON, limits={"failure_delay": "0s", "login_failures": 9})
    with served.connect() as client:
        if utf8:
            client.ok("UTF8")
        client.ok(f"USER {served.login}")
        wrong = client.err("PASS wrong")
        assert wrong.startswith("[AUTH]")
        for login, password in old.items():
            client.ok(f"USER {login}")
            assert client.err(b"PASS " + password) == wrong
        client.ok("USER nobody@nowhere.example")
        assert client.err(b"PASS caf\xe9") == wrong
        client.login(served.login, served.password)
        client.quit()


@pytest.mark.parametrize("name", [b"caf\xe9", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_malformed_names_are_refused(local, name):
    served = local(tenant=ON)
    with served.connect() as client:
        client.ok("UTF8")
        client.err(b"USER " + name)
        client.err("PASS x")
        client.login(served.login, served.password)
        client.quit()


def test_a_neighbour_that_turns_utf8_on_changes_no_login(gateway, maildir_tenant, old):
    """A tenant without it goes on as before, unless the client itself says UTF8."""
    served = gateway(tenants=[
        maildir_tenant(),
        maildir_tenant(name="other", match={"domains": ["other.example"]},
                       maildrop={"utf8": True}),
    ])  # fmt: skip
    for login, password in old.items():
        with Pop3(served.port("pop3")) as client:
            client.ok(f"USER {login}")
            client.ok(b"PASS " + password)
            client.quit()
    with Pop3(served.port("pop3")) as client:
        client.ok("UTF8")
        client.ok("USER latin@local.example")
        assert client.err(b"PASS " + old["latin@local.example"]).startswith("[AUTH]")
        client.ok("USER private@local.example")
        client.ok(b"PASS " + old["private@local.example"])
        client.quit()


# The LANG command (section 3)


@pytest.mark.parametrize("logged_in", [False, True])
def test_lang(local, logged_in):
    served = local(tenant=ON)
    with served.session() if logged_in else served.connect() as client:
        rows = client.rows("LANG")
        assert rows == ["en English", "i-default Default"]
        for wanted, tag in (("*", "en"), ("en", "en"), ("EN", "en"), ("en-GB", "en"),
                            ("i-default", "i-default")):  # fmt: skip
            assert client.ok(f"LANG {wanted}").startswith(f"{tag} "), wanted
        for unknown in ("de", "mul", "uga", "i-klingon", "en_GB", "-", "**"):
            with pytest.raises(Refused):
                client.ok(f"LANG {unknown}")
        client.err("LANG en de")
        client.err("LANG ü")
        client.quit()
