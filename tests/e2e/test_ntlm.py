"""NTLM in the framing of MS-OXPOP3 section 2.2.1, by gss-ntlmssp."""

import base64
import hashlib
import hmac
import os
import struct
import subprocess
import time

import gssapi
import pytest
from gssapi.raw import ChannelBindings

from support import corpus
from support.dovecot import MASTER_USER
from support.gateway import PASSWORD, TIMEOUT, password
from support.maildir import Maildir
from support.pop3 import Pop3

MESSAGES = [corpus.message("first"), corpus.message("second")]
SECRET = password("ntlm")

# gss-ntlmssp copies names with strndup from memory that ends where they end. That is right, but
# strict_string_checks, which the other tests have on, takes it for an overflow.
ASAN = "detect_stack_use_after_return=0"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "ASAN_OPTIONS": ASAN, **more}


def leaky(directory) -> dict[str, str]:
    """gss-ntlmssp 1.2.0 does not free the MD4 that it fetches from libcrypto for a password in
    clear and for NTLMv1: some KiB a login."""
    suppressions = directory / "lsan"
    suppressions.write_text("leak:gssntlmssp.so\n")
    return {"ASAN_OPTIONS": f"{ASAN}:fast_unwind_on_malloc=0",
            "LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0"}


def md4(data: bytes) -> bytes:
    return subprocess.run(["openssl", "dgst", "-md4", "-provider", "legacy", "-binary"],
                          input=data, stdout=subprocess.PIPE, check=True).stdout


def smbpasswd(user: str, secret: str = SECRET) -> str:
    """A line of smbpasswd(5), without an LM hash."""
    hashed = md4(secret.encode("utf-16le")).hex().upper()
    return f"{user}:0:{'0' * 32}:{hashed}:[U          ]:LCT-00000000:\n"


@pytest.fixture
def ntlm_users(directory):
    path = directory / "ntlm-users"
    path.write_text(smbpasswd("joe") + smbpasswd("ann@local.example"))
    return path


@pytest.fixture
def served(local, ntlm_users):
    """A gateway before joe's Maildir of two messages; he has another password, too."""

    def start(*, auth: dict | None = None, env: dict | None = None, **changes):
        return local(MESSAGES, tenant={"auth": {
            "mechanisms": ["user", "ntlm"], "ntlm_users_file": str(ntlm_users),
            "login_domain": "local.example", **(auth or {})}},
            options={"env": environment(**(env or {}))}, **changes)

    return start


def works(client: Pop3) -> None:
    """The connection is as good as before: a login by password succeeds."""
    client.login("joe@local.example", PASSWORD)
    assert client.stat()[0] == len(MESSAGES)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# A client of our own, as MS-NLMP section 3.3 computes

UNICODE, OEM, TARGET, NTLM, EXTENDED = 0x1, 0x2, 0x4, 0x200, 0x80000
FLAGS = UNICODE | OEM | TARGET | NTLM | EXTENDED


def negotiate(flags: int = FLAGS) -> bytes:
    return b"NTLMSSP\0" + struct.pack("<II16x", 1, flags)


def challenge(reply: str) -> bytes:
    assert reply.startswith("+ "), reply
    data = base64.b64decode(reply[2:], validate=True)
    assert data[:12] == b"NTLMSSP\0\2\0\0\0"
    return data


def ntlmv2(challenged: bytes, user: str, domain: str, secret: str = SECRET) -> bytes:
    """The NTLMv2 response to a CHALLENGE message."""
    n, offset = struct.unpack_from("<H2xI", challenged, 40)
    target_info = challenged[offset : offset + n]
    key = hmac.digest(md4(secret.encode("utf-16le")),
                      (user.upper() + domain).encode("utf-16le"), "md5")
    blob = (struct.pack("<BB6xQ", 1, 1, int((time.time() + 11644473600) * 10**7))
            + b"ourclien" + bytes(4) + target_info + bytes(4))
    return hmac.digest(key, challenged[24:32] + blob, "md5") + blob


def message(user: str | bytes, domain: str = "", nt: bytes = b"", *, lm: bytes = bytes(24),
            flags: int = FLAGS & ~OEM) -> bytes:
    """An AUTHENTICATE message."""
    def text(value):
        return value if isinstance(value, bytes) else value.encode("utf-16le")

    fields, payload = b"", b""
    for part in (lm, nt, text(domain), text(user), text("WORK"), b""):
        fields += struct.pack("<HHI", len(part), len(part), 64 + len(payload))
        payload += part
    return b"NTLMSSP\0" + struct.pack("<I", 3) + fields + struct.pack("<I", flags) + payload


def begin(client: Pop3, first: bytes | None = None, *, initial: bool = False) -> bytes:
    """NEGOTIATE; the CHALLENGE message."""
    first = b64(negotiate() if first is None else first)
    if initial:
        return challenge(client.command(f"AUTH NTLM {first}"))
    assert client.command("AUTH NTLM") == "+ "
    return challenge(client.command(first))


def authenticate(client: Pop3, user: str, domain: str = "", secret: str = SECRET, *,
                 initial: bool = False) -> str:
    """The whole exchange; the reply at its end."""
    challenged = begin(client, initial=initial)
    return client.command(b64(message(user, domain, ntlmv2(challenged, user, domain, secret))))


# Clients


def curl(gateway, user: str, secret: str, *arguments, listener="pop3", ca=None):
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--login-options", "AUTH=NTLM",
         "--user", f"{user}:{secret}", *(["--cacert", ca] if ca else []), *arguments,
         f"{listener}://localhost:{gateway.port(listener)}/1"],
        capture_output=True, timeout=TIMEOUT)  # fmt: skip


@pytest.mark.parametrize("user", ["ACME\\joe", "joe", "Anything/JOE"])
@pytest.mark.parametrize("arguments", [[], ["--sasl-ir"]])
def test_curl(served, user, arguments):
    gateway = served().gateway
    done = curl(gateway, user, SECRET, *arguments)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == corpus.wire(MESSAGES[0])
    login = gateway.wait("login")
    assert (login["login"], login["mechanism"]) == ("joe@local.example", "NTLM")


def test_curl_over_tls(served, ca):
    done = curl(served().gateway, "joe", SECRET, listener="pop3s", ca=ca.certificate)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == corpus.wire(MESSAGES[0])


@pytest.mark.parametrize("user, secret", [("joe", "wrong"), ("joe", PASSWORD), ("nobody", SECRET)])
def test_curl_with_a_wrong_password(served, user, secret):
    done = curl(served().gateway, user, secret)
    assert done.returncode == 67, "login denied"


@pytest.fixture
def old_client(directory, ca):
    """mpop and fetchmail know NTLMv1 only; each fetches and says whether it could."""

    def mpop(gateway, tls: bool) -> bool:
        inbox = Maildir(directory / f"inbox{time.monotonic_ns()}")
        config = directory / "mpoprc"
        config.write_text(f"""
account default
host localhost
port {gateway.port()}
tls {"on" if tls else "off"}
tls_starttls on
tls_trust_file {ca.certificate}
auth ntlm
ntlmdomain ACME
user joe
password {SECRET}
keep on
uidls_file {inbox.path}.uidls
received_header off
delivery maildir {inbox.path}
""")
        config.chmod(0o600)
        subprocess.run(["mpop", f"--file={config}"], capture_output=True, timeout=TIMEOUT,
                       env={**os.environ, "HOME": str(directory)}, check=False)
        return len(inbox.files()) == len(MESSAGES)

    def fetchmail(gateway, tls: bool) -> bool:
        got = directory / f"got{time.monotonic_ns()}"
        config = directory / "fetchmailrc"
        config.write_text(f"""
poll localhost protocol pop3 port {gateway.port()} auth ntlm
  username "joe" password "{SECRET}" sslproto {"'TLS1.2+'" if tls else "''"}
  sslcertck sslcertfile "{ca.certificate}" mda "cat >>{got}" fetchall keep
""")
        config.chmod(0o600)
        subprocess.run(
            ["fetchmail", "--fetchmailrc", config, "--pidfile", directory / "pid", "--nosyslog"],
            env={**os.environ, "HOME": str(directory), "FETCHMAILHOME": str(directory)},
            capture_output=True, timeout=TIMEOUT, check=False)  # fmt: skip
        return got.exists() and got.read_bytes().count(b"Subject:") == len(MESSAGES)

    return {"mpop": mpop, "fetchmail": fetchmail}


# Among the names of its environment is one with which gss-ntlmssp would take NTLMv1.
@pytest.mark.parametrize("env", [{}, {"NETBIOS_DOMAIN_NAME": "ACME"}, {"LM_COMPAT_LEVEL": "0"}])
@pytest.mark.parametrize("name", ["mpop", "fetchmail"])
def test_ntlmv1_is_refused(served, old_client, name, env):
    gateway = served(env=env).gateway
    assert not old_client[name](gateway, False)
    assert "older than NTLMv2" in gateway.wait("login failed", mechanism="NTLM")["detail"]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("name", ["mpop", "fetchmail"])
def test_ntlmv1_where_the_tenant_takes_it(served, old_client, directory, name, tls):
    gateway = served(auth={"ntlm_v1": True}, env=leaky(directory)).gateway
    assert old_client[name](gateway, tls)
    assert gateway.wait("login")["mechanism"] == "NTLM"
    assert curl(gateway, "joe", SECRET).returncode == 0, "NTLMv2 goes on"
    assert curl(gateway, "joe", "wrong").returncode == 67


def test_ntlmv1_where_another_tenant_takes_it(gateway, maildir_tenant, ntlm_users, old_client):
    maildir_tenant.maildir().deliver_all(MESSAGES)
    auth = {"mechanisms": ["ntlm"], "ntlm_users_file": str(ntlm_users)}
    running = gateway(tenants=[
        maildir_tenant(auth={**auth, "login_domain": "local.example"}),
        maildir_tenant(name="old", match={"domains": ["old.example"]},
                       auth={**auth, "login_domain": "old.example", "ntlm_v1": True}),
    ], options={"env": environment()})  # fmt: skip
    assert not old_client["mpop"](running, False)
    assert "older than NTLMv2" in running.wait("login failed")["detail"]


def test_ntlmv1_is_worth_no_more_than_a_password(served, old_client, gateway_config, directory):
    """Where no passwords may come without TLS, it may not either."""
    listeners = gateway_config()["listeners"]
    listeners[0]["plaintext_login"] = False
    gateway = served(auth={"ntlm_v1": True}, listeners=listeners, env=leaky(directory)).gateway
    assert not old_client["mpop"](gateway, False)
    assert "older than NTLMv2" in gateway.wait("login failed")["detail"]
    assert old_client["mpop"](gateway, True)


@pytest.mark.parametrize("env", [{}, {"NETBIOS_DOMAIN_NAME": "ACME"}, {"LM_COMPAT_LEVEL": "0"}])
def test_an_absent_lm_hash_is_no_password(served, directory, env):
    """The zeros in its place are a key that everybody knows."""
    flags = UNICODE | TARGET | NTLM
    served = served(auth={"ntlm_v1": True}, env={**leaky(directory), **env})
    with served.connect() as client:
        challenged = begin(client, negotiate(flags | OEM))
        response = subprocess.run(
            ["openssl", "enc", "-des-ecb", "-K", "0" * 16, "-nopad", "-provider", "legacy"],
            input=challenged[24:32], stdout=subprocess.PIPE, check=True).stdout * 3
        for nt in (bytes(24), response):
            reply = client.command(b64(message("joe", "ACME", nt, lm=response, flags=flags)))
            assert reply.startswith("-ERR [AUTH]")
            begin(client, negotiate(flags | OEM))
        assert client.err("*")
        works(client)


# The exchange


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("user, domain", [("joe", ""), ("JOE", "ACME"), ("joe", "WORKGROUP")])
def test_exchange(served, user, domain, initial):
    with served().connect() as client:
        assert authenticate(client, user, domain, initial=initial).startswith("+OK")
        assert client.stat()[0] == len(MESSAGES)
        client.quit()


def test_the_challenge(served):
    """It names this host, and is another each time."""
    with served().connect() as client:
        seen = set()
        for _ in range(3):
            challenged = begin(client)
            assert "pop.test".encode("utf-16le") in challenged
            seen.add(challenged[24:32])
            assert client.err("*")
        assert len(seen) == 3
        works(client)


def test_a_client_that_signs(served):
    """gss-ntlmssp's own, which sends the version that curl leaves out."""
    mechanism = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
    name = gssapi.Name("joe", gssapi.NameType.user)
    context = gssapi.SecurityContext(
        name=gssapi.Name("pop@pop.test", gssapi.NameType.hostbased_service), mech=mechanism,
        creds=gssapi.Credentials(name=name, mechs=[mechanism], usage="initiate",
                                 store={"password": SECRET}),
        usage="initiate", flags=gssapi.RequirementFlag.integrity)  # fmt: skip
    with served().connect() as client:
        challenged = begin(client, context.step(), initial=True)
        assert client.command(b64(context.step(challenged))).startswith("+OK")


@pytest.mark.parametrize("right", [True, False])
def test_channel_binding(served, tls, right):
    """A client that binds its response to the certificate is held to it (extended protection)."""
    mechanism = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
    served = served()
    with served.connect("pop3s", tls=tls) as client:
        der = client.socket.getpeercert(binary_form=True)
        digest = hashlib.sha256(der if right else der[1:]).digest()
        context = gssapi.SecurityContext(
            name=gssapi.Name("pop@pop.test", gssapi.NameType.hostbased_service), mech=mechanism,
            creds=gssapi.Credentials(name=gssapi.Name("joe", gssapi.NameType.user),
                                     mechs=[mechanism], usage="initiate",
                                     store={"password": SECRET}),
            usage="initiate", channel_bindings=ChannelBindings(
                application_data=b"tls-server-end-point:" + digest))  # fmt: skip
        challenged = begin(client, context.step(), initial=True)
        reply = client.command(b64(context.step(challenged)))
        assert reply.startswith("+OK" if right else "-ERR [AUTH]")


def test_capabilities(served, gateway_config):
    """It shows no password, so it is offered where passwords are not."""
    listeners = gateway_config()["listeners"]
    listeners[0]["plaintext_login"] = False
    with served(listeners=listeners).connect() as client:
        assert "SASL NTLM" in client.capabilities() and "USER" not in client.capabilities()
        assert authenticate(client, "joe").startswith("+OK")


def test_entry_by_master_user(gateway, dovecot, ntlm_users, directory):
    user = dovecot.new_user()
    user.deliver(*MESSAGES)
    ntlm_users.write_text(smbpasswd(user.login))
    master = directory / "master"
    master.write_text(password(MASTER_USER))
    running = gateway(tenants=[{
        "name": "acme",
        "auth": {"mechanisms": ["ntlm"], "ntlm_users_file": str(ntlm_users)},
        "imap": dovecot.as_config(master_user=MASTER_USER, master_password_file=str(master)),
    }], options={"env": environment()})  # fmt: skip
    with Pop3(running.port()) as client:
        assert authenticate(client, user.login).startswith("+OK")
        assert client.stat()[0] == len(MESSAGES)


# Whose login it is


def test_a_name_with_a_domain_is_a_login(served, maildir_tenant):
    served = served()
    maildir_tenant.maildir("ann").deliver_all([MESSAGES[0]])
    with served.connect() as client:
        assert authenticate(client, "ann@local.example").startswith("+OK")
        assert client.stat()[0] == 1
    # The entry names the whole login: neither half of it is one.
    with served.connect() as client:
        assert authenticate(client, "ann", "local.example").startswith("-ERR [AUTH]")
        assert authenticate(client, "joe@local.example").startswith("-ERR [AUTH]")


def test_without_login_domain_the_default_domain_applies(served):
    served = served(auth={"login_domain": ""}, login_name={"default_domain": "local.example"})
    with served.connect() as client:
        assert authenticate(client, "joe").startswith("+OK")


def test_a_users_file_proves_no_login_of_another_tenant(gateway, maildir_tenant, ntlm_users,
                                                        directory):
    """Each tenant's file counts for its own logins only, whatever it holds."""
    other = directory / "other-users"
    other.write_text(smbpasswd("joe@local.example", "wicked") + smbpasswd("eve", "wicked"))
    auth = {"mechanisms": ["ntlm"]}
    Maildir(directory / "mail" / "other.example" / "eve" / "Maildir")
    running = gateway(tenants=[
        maildir_tenant(name="other", match={"domains": ["other.example"]},
                       auth={**auth, "ntlm_users_file": str(other),
                             "login_domain": "other.example"}),
        maildir_tenant(auth={**auth, "ntlm_users_file": str(ntlm_users)}),
    ], options={"env": environment()})  # fmt: skip
    with Pop3(running.port()) as client:
        assert authenticate(client, "joe@local.example", "", "wicked").startswith("-ERR [AUTH]")
        assert authenticate(client, "eve", "", "wicked").startswith("+OK")
    running.wait("login")
    assert [e["login"] for e in running.events("login")] == ["eve@other.example"]


@pytest.mark.parametrize("line, domain, good", [
    (f"ACME:joe:{SECRET}\n", "ACME", True),
    (f"ACME:joe:{SECRET}\n", "", True),
    (f"ACME:joe:{SECRET}\n", "OTHER", False),
    (smbpasswd("ACME\\joe"), "ACME", True),
    (smbpasswd("ACME\\joe"), "OTHER", False),
    ("# joe\n", "ACME", False),
    ("", "ACME", False),
])  # fmt: skip
def test_lines_of_the_users_file(served, ntlm_users, directory, line, domain, good):
    """It is read anew at each login."""
    served = served(env=leaky(directory))
    ntlm_users.write_text(line)
    with served.connect() as client:
        reply = authenticate(client, "joe", domain)
        assert reply.startswith("+OK" if good else "-ERR [AUTH]")


def test_a_users_file_that_vanished_is_no_wrong_password(served, ntlm_users):
    served = served()
    ntlm_users.unlink()
    with served.connect() as client:
        assert authenticate(client, "joe").startswith("-ERR [SYS/")
        works(client)


# Refusals and hostile clients


@pytest.mark.parametrize("user, secret", [("joe", "wrong"), ("joe", ""), ("nobody", SECRET),
                                          ("ann", SECRET)])
def test_wrong_password(served, user, secret):
    served = served()
    with served.connect() as client:
        assert authenticate(client, user, "", secret).startswith("-ERR [AUTH]")
        works(client)
    assert served.gateway.wait("login failed")["mechanism"] == "NTLM"


def test_failures_count(served):
    served = served(limits={"login_failures": 2})
    with served.connect() as client:
        assert authenticate(client, "joe", "", "wrong").startswith("-ERR [AUTH]")
        assert authenticate(client, "joe", "", "wrong").startswith("-ERR [AUTH]")
        client.closed()


@pytest.mark.parametrize("nt, lm", [(bytes(24), bytes(24)), (b"", bytes(24)), (b"", b""),
                                    (b"", b"\0"), (bytes(16), bytes(24))])
@pytest.mark.parametrize("user", ["joe", "nobody"])
def test_responses_older_than_ntlmv2(served, user, nt, lm):
    with served(env={"LM_COMPAT_LEVEL": "0"}).connect() as client:
        begin(client)
        assert client.command(b64(message(user, "", nt, lm=lm))).startswith("-ERR [AUTH]")
        works(client)


def test_a_response_to_another_challenge(served):
    with served().connect() as client:
        first = begin(client)
        assert client.err("*")
        begin(client)
        reply = client.command(b64(message("joe", "", ntlmv2(first, "joe", ""))))
        assert reply.startswith("-ERR [AUTH]")
        works(client)


GARBAGE = {
    "no base64": "%%%",
    "bad padding": "YWJj=",
    "nothing": "",
    "noise": b64(bytes(range(256))),
    "only a signature": b64(b"NTLMSSP\0"),
    "a CHALLENGE": b64(b"NTLMSSP\0\2\0\0\0" + bytes(100)),
    "type 4": b64(b"NTLMSSP\0\4\0\0\0" + bytes(100)),
    "SPNEGO": b64(bytes.fromhex("601006062b0601050502a0063004a0023000")),
    "48 KiB": b64(b"NTLMSSP\0\7\0\0\0" + bytes(48000)),
}


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize("stage", ["with AUTH", "first", "second"])
def test_garbage_instead_of_a_message(served, kind, stage):
    if stage == "with AUTH" and kind == "nothing":
        pytest.skip("that is no initial response")
    with served().connect() as client:
        if stage == "with AUTH":
            assert client.err(f"AUTH NTLM {GARBAGE[kind]}")
        elif stage == "first":
            assert client.command("AUTH NTLM") == "+ "
            assert client.err(GARBAGE[kind])
        else:
            begin(client)
            assert client.err(GARBAGE[kind])
        works(client)


def test_messages_out_of_order(served):
    with served().connect() as client:
        challenged = begin(client)
        assert client.err(b64(negotiate()))
        assert client.command("AUTH NTLM") == "+ "
        assert client.err(b64(message("joe", "", ntlmv2(challenged, "joe", ""))))
        works(client)


def test_negotiate_messages_of_every_length(served):
    """Old clients leave fields out; what is too short to say what it wants is refused."""
    with served().connect() as client:
        for n in range(8, 33):
            assert client.command("AUTH NTLM") == "+ "
            reply = client.command(b64(negotiate()[:n]))
            assert reply.startswith("+ " if n >= 16 else "-ERR"), n
            if reply.startswith("+ "):
                assert client.err("*")
        works(client)


def test_authenticate_messages_of_every_length(served):
    served = served(limits={"login_failures": 100}, protocol={"bad_commands": 1000})
    with served.connect() as client:
        whole = message("joe", "ACME", ntlmv2(begin(client), "joe", "ACME"))
        assert client.err("*")
        for n in [*range(0, 96), *range(96, len(whole), 17)]:
            begin(client)
            assert client.err(b64(whole[:n]))
        works(client)


FIELDS = {"lm": 12, "nt": 20, "domain": 28, "user": 36, "workstation": 44, "key": 52}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("n, offset", [
    (0xffff, 64), (16, 0xffffffff), (16, 0xfffffff8), (16, 0), (0xfffe, 0xffff0000),
    (1, 64), (0, 0xffffffff)])  # fmt: skip
def test_fields_that_lie(served, field, n, offset):
    with served().connect() as client:
        whole = bytearray(message("joe", "ACME", ntlmv2(begin(client), "joe", "ACME")))
        struct.pack_into("<HHI", whole, FIELDS[field], n, n, offset)
        reply = client.command(b64(bytes(whole)))
        # An empty field is nobody's but its owner's business, neither are these three.
        if not (field in ("lm", "workstation", "key") or (field == "domain" and n == 0)):
            assert reply.startswith("-ERR")
        if reply.startswith("-ERR"):
            works(client)


@pytest.mark.parametrize("user", [
    "", "x" * 257, "joe\0", "joe\nann", "/joe", "../joe", "ACME\\joe", b"j\0o", b"\x00\xd8j\0",
    b"j\0\x00\xdc", "\x7f"])  # fmt: skip
def test_names_that_are_none(served, user):
    with served().connect() as client:
        name = user if isinstance(user, str) else "joe"
        challenged = begin(client)
        assert client.err(b64(message(user, "", ntlmv2(challenged, name, ""))))
        works(client)


@pytest.mark.parametrize("user", ["jörg", "юзер", "用户", "😀"])
def test_names_beyond_ascii(served, ntlm_users, maildir_tenant, user):
    with open(ntlm_users, "a") as users:
        users.write(smbpasswd(user))
    served = served()
    maildir_tenant.maildir(user).deliver_all([MESSAGES[0]])
    with served.connect() as client:
        reply = authenticate(client, user)
        assert reply.startswith("+OK"), served.gateway.text()
        assert client.stat()[0] == 1


def test_cancel_at_every_stage(served):
    with served().connect() as client:
        assert client.command("AUTH NTLM") == "+ "
        assert client.err("*")
        begin(client)
        assert client.err("*")
        begin(client, initial=True)
        assert client.err("*")
        works(client)


def test_commands_in_the_middle(served):
    with served().connect() as client:
        assert client.command("AUTH NTLM") == "+ "
        assert client.err("STAT")
        begin(client)
        assert client.err("QUIT")
        works(client)


def test_a_line_beyond_all_limits(served):
    with served().connect() as client:
        assert client.command("AUTH NTLM") == "+ "
        assert client.err("A" * 70000)
        begin(client)
        assert client.err("A" * 70000)
        works(client)


def test_clients_that_vanish(served):
    served = served()
    with served.connect() as client:
        assert client.command("AUTH NTLM") == "+ "
    with served.connect() as client:
        begin(client)
    served.gateway.wait("session closed", count=2)
    with served.connect() as client:
        works(client)
