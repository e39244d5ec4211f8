"""Fixtures: each test has its own gateway, in its own folder, on its own ports."""

import itertools
import os
import shutil
import ssl
import tempfile
from pathlib import Path

import pytest

pytest.register_assert_rewrite("support")

from support import conformance, corpus
from support.certificates import Authority
from support.dovecot import Dovecot, tls_client
from support.gateway import BINARY, PASSWORD, Gateway, free_port, merge
from support.hashes import crypt_of
from support.maildir import Maildir
from support.pop3 import Pop3
from support.postgresql import PostgreSQL

LOGIN = "joe@local.example"


def pytest_configure(config):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build it first (tests/run.sh does)", 2)
    # The gateway's sanitizers must speak up, and must not be told otherwise from outside.
    os.environ["ASAN_OPTIONS"] = "detect_stack_use_after_return=0:strict_string_checks=1"
    os.environ["UBSAN_OPTIONS"] = "print_stacktrace=1"
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(conformance.Record(config))


@pytest.fixture(scope="session")
def shared_directory():
    """A folder that servers of other accounts may pass through, with a short path for sockets."""
    directory = Path(tempfile.mkdtemp(prefix="popgate-e2e-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def directory(shared_directory):
    """This test's own folder."""
    path = Path(tempfile.mkdtemp(dir=shared_directory))
    path.chmod(0o711)
    return path


# Certificates


@pytest.fixture(scope="session")
def ca(shared_directory):
    return Authority(shared_directory / "ca")


@pytest.fixture(scope="session")
def certificate(ca):
    """For what every test connects to."""
    return ca.issue("localhost", "127.0.0.1", "::1", "pop.acme.example")


@pytest.fixture(scope="session")
def other_certificate(ca):
    return ca.issue("pop.other.example")


@pytest.fixture(scope="session")
def tls(ca):
    """A client that trusts the tests' authority and checks names."""
    return tls_client(ca.certificate)


# The gateway


@pytest.fixture
def gateway_config(directory, certificate):
    """A configuration with one STLS and one TLS listener and no tenant; changes lie over it."""

    def make(**changes) -> dict:
        base = {
            "hostname": "pop.test",
            "workers": 1,
            "shutdown_grace": "1s",
            "state": f"sqlite:{directory}/state.db",
            "admin": {"listen": ""},
            "log": {"level": "debug"},
            "listeners": [
                {"name": "pop3", "listen": [f"127.0.0.1:{free_port()}"], "tls": "starttls",
                 "plaintext_login": True},
                {"name": "pop3s", "listen": [f"127.0.0.1:{free_port()}"], "tls": "implicit"},
            ],
            "certificates": [certificate.as_config()],
            "limits": {"failure_delay": "0s"},
            "tenants": [],
        }  # fmt: skip
        return merge(base, changes)

    return make


@pytest.fixture
def gateway(directory, gateway_config):
    """Starts a gateway: gateway(tenants=[…], timeouts={…}); in the end all are stopped, judged."""
    running = []
    folders = itertools.count()

    def start(*, start: bool = True, options: dict | None = None, **changes) -> Gateway:
        folder = directory / f"gateway{next(folders)}"
        folder.mkdir()
        instance = Gateway(folder, gateway_config(**changes), **(options or {}))
        running.append(instance)
        return instance.start() if start else instance

    yield start
    problems = []
    for instance in running:
        try:
            instance.stop()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


class Served:
    """A gateway with one mailbox behind it, and ways in."""

    def __init__(self, gateway: Gateway, login: str, secret: str, tls: ssl.SSLContext):
        self.gateway = gateway
        self.login = login
        self.password = secret
        self.tls = tls

    def connect(self, listener: str = "pop3", **options) -> Pop3:
        return Pop3(self.gateway.port(listener), **options)

    def session(self, listener: str = "pop3", **options) -> Pop3:
        """Connected and logged in."""
        return self.connect(listener, **options).login(self.login, self.password)

    def secure(self, **options) -> Pop3:
        """A session over implicit TLS."""
        return self.session("pop3s", tls=self.tls, **options)

    # What others do to the mailbox

    def deliver(self, *messages: bytes) -> None:
        """Another client, or a delivery agent, adds mail."""
        if hasattr(self, "user"):
            self.user.append(*messages)
        else:
            self.maildir.deliver_all(messages)

    def remove(self, number: int) -> None:
        """Another client removes the message that is number in the mailbox now."""
        if hasattr(self, "user"):
            self.user.expunge(self.user.uids()[number - 1])
        else:
            self.maildir.files()[number - 1].unlink()

    def held(self) -> int:
        """How many messages the mailbox holds now."""
        return len(self.user.uids() if hasattr(self, "user") else self.maildir.files())


# Maildir


@pytest.fixture(scope="session")
def sha512():
    return crypt_of("$6$rounds=1000$saltsalt$", PASSWORD)


@pytest.fixture
def maildir_tenant(directory, sha512):
    """The tenant local.example, a Maildir per user; maildir_tenant.maildir(user) is one of them."""

    class Tenant:
        users = directory / "users"

        def __call__(self, **changes) -> dict:
            return merge({
                "name": "local",
                "match": {"domains": ["local.example"]},
                "auth": {"users_file": str(self.users)},
                "maildir": {"path": f"{directory}/mail/%{{domain}}/%{{user}}/Maildir"},
            }, changes)  # fmt: skip

        def maildir(self, user: str = "joe") -> Maildir:
            return Maildir(directory / "mail" / "local.example" / user / "Maildir")

        def add_user(self, login: str, hashed: str = sha512) -> None:
            with open(self.users, "a") as users:
                users.write(f"{login}:{hashed}\n")

    tenant = Tenant()
    tenant.add_user(LOGIN)
    tenant.maildir()
    return tenant


@pytest.fixture
def local(gateway, maildir_tenant, tls):
    """local(messages, tenant={…}, timeouts={…}): a gateway before joe's Maildir."""

    def start(messages=(), *, tenant: dict | None = None, **changes) -> Served:
        maildir = maildir_tenant.maildir()
        maildir.deliver_all(messages)
        running = gateway(tenants=[maildir_tenant(**(tenant or {}))], **changes)
        served = Served(running, LOGIN, PASSWORD, tls)
        served.maildir = maildir
        return served

    return start


# IMAP

WITHOUT_UIDPLUS = "imap_capability = IMAP4rev1 SASL-IR LITERAL+ ID IDLE NAMESPACE\n"


@pytest.fixture(scope="session")
def dovecot(shared_directory, certificate):
    server = Dovecot(shared_directory / "dovecot", certificate).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def plain_dovecot(shared_directory, certificate):
    """A Dovecot that offers neither UIDPLUS nor MOVE."""
    server = Dovecot(shared_directory / "plain", certificate, extra=WITHOUT_UIDPLUS).start()
    yield server
    server.stop()


@pytest.fixture
def own_dovecot(directory, certificate):
    """own_dovecot(): one that this test may kill."""
    running = []
    folders = itertools.count()

    def start(certificate=certificate, **options) -> Dovecot:
        server = Dovecot(directory / f"dovecot{next(folders)}", certificate, **options)
        running.append(server)
        return server.start()

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def imap(gateway, dovecot, ca, tls):
    """imap(messages, server=…, tenant={…}): a gateway before a new mailbox of a real Dovecot.

    messages are put into the mailbox as Maildir files, octets as they are.
    """

    def start(messages=(), *, server: Dovecot | None = None, tenant: dict | None = None,
              over: str = "none", **changes) -> Served:
        server = server or dovecot
        user = server.new_user()
        if messages:
            user.deliver(*messages)
        block = merge({
            "name": "acme",
            "match": {"domains": ["acme.example"]},
            "imap": server.as_config(over, ca.certificate),
        }, tenant or {})  # fmt: skip
        running = gateway(tenants=[block], **changes)
        served = Served(running, user.login, user.password, tls)
        served.user = user
        return served

    return start


# Databases


@pytest.fixture(scope="session")
def postgresql(shared_directory, certificate):
    server = PostgreSQL(shared_directory / "postgresql", certificate).start()
    yield server
    server.end()


@pytest.fixture(params=["maildir", "imap"])
def either(request):
    """The same test on a Maildir and on an IMAP server."""
    return request.getfixturevalue("local" if request.param == "maildir" else "imap")


@pytest.fixture(scope="session")
def odd_messages():
    return list(corpus.ODD.values())
