"""A real Dovecot IMAP server on loopback, with its own configuration, ports and mail."""

import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .gateway import TIMEOUT, free_port, password
from .maildir import Maildir

MASTER_USER = "master"

CONFIG = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
auth_failure_delay = 0
default_client_limit = 4000
default_process_limit = 1000
default_vsz_limit = 0
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
disable_plaintext_auth = no
first_valid_uid = 1
listen = {host}
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
protocols = imap
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_dh =
stats_writer_socket_path =
auth_master_user_separator = *
{extra}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {directory}/masters
  master = yes
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {directory}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/mail/%u
}}
service anvil {{
  {chroot}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  {chroot}
}}
service imap-login {{
  {chroot}
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""


@dataclass
class User:
    """A mailbox, and ways into it that the gateway has no part in."""

    dovecot: "Dovecot"
    login: str
    password: str

    @property
    def maildir(self) -> Maildir:
        maildir = Maildir(self.dovecot.directory / "mail" / self.login / "Maildir")
        for part in ("cur", "new", "tmp"):
            self.dovecot.give(maildir.path / part)
        return maildir

    def client(self, folder: str = "INBOX") -> imaplib.IMAP4:
        """Another IMAP client, logged in and looking into folder."""
        client = imaplib.IMAP4(self.dovecot.host, self.dovecot.port, timeout=TIMEOUT)
        client.login(self.login, self.password)
        status, data = client.select(folder)
        assert status == "OK", data
        return client

    def append(self, *messages: bytes, folder: str = "INBOX") -> None:
        """By APPEND; imaplib makes all line ends CRLF."""
        with self.client() as client:
            for message in messages:
                status, data = client.append(folder, "", "", message)
                assert status == "OK", data

    def deliver(self, *messages: bytes) -> None:
        """Puts files into new/, octets as they are; Dovecot sees them at its next look."""
        maildir = self.maildir
        maildir.count = len(maildir.files())
        for message in messages:
            self.dovecot.give(maildir.deliver(message))

    def held(self) -> list[tuple[int, bytes]]:
        """UID and octets of every message as the server holds them."""
        with self.client() as client:
            return fetch_all(client)

    def uids(self) -> list[int]:
        return [uid for uid, _ in self.flags()]

    def flags(self) -> list[tuple[int, str]]:
        with self.client() as client:
            _, data = client.uid("FETCH", "1:*", "(FLAGS)")
        rows = []
        for row in data:
            if row:
                uid = int(row.split(b"UID ")[1].split(b" ")[0].rstrip(b")"))
                rows.append((uid, row.split(b"FLAGS (")[1].split(b")")[0].decode()))
        return rows

    def flag(self, uid: int, flag: str) -> None:
        with self.client() as client:
            status, data = client.uid("STORE", str(uid), "+FLAGS", f"({flag})")
            assert status == "OK", data

    def expunge(self, *uids: int) -> None:
        """Removes messages as another client does."""
        with self.client() as client:
            for uid in uids:
                client.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)")
            status, data = client.uid("EXPUNGE", ",".join(map(str, uids)))
            assert status == "OK", data

    def uidvalidity(self) -> int:
        with self.client() as client:
            _, data = client.status("INBOX", "(UIDVALIDITY)")
        return int(data[0].rpartition(b" ")[2].rstrip(b")"))


def fetch_all(client: imaplib.IMAP4) -> list[tuple[int, bytes]]:
    _, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
    return [
        (int(row[0].split(b"UID ")[1].split(b" ")[0]), row[1])
        for row in data
        if isinstance(row, tuple)
    ]


class Dovecot:
    """Started with `dovecot -F`; ended by its process group."""

    def __init__(self, directory: Path, certificate, *, host: str = "127.0.0.1", extra: str = "",
                 port: int = 0):
        self.directory = directory
        self.host = host
        self.port = port or free_port(host)
        self.tls_port = free_port(host)
        self.certificate = certificate
        self.extra = extra
        self.uid, self.gid = os.getuid(), os.getgid()
        root = self.uid == 0
        if root:  # Dovecot gives no mail to root
            nobody = pwd.getpwnam("nobody")
            self.uid, self.gid = nobody.pw_uid, nobody.pw_gid
        me = pwd.getpwuid(self.uid).pw_name
        for part in ("run", "state", "mail"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        self.give(directory / "mail")
        names = [f"user{n}@acme.example" for n in range(1000)]
        (directory / "users").write_text("".join(f"{n}:{password(n)}\n" for n in names))
        self.fresh = iter(names)
        (directory / "masters").write_text(f"{MASTER_USER}:{password(MASTER_USER)}\n")
        self.config = directory / "dovecot.conf"
        self.config.write_text(CONFIG.format(
            directory=directory, host=host, port=self.port, tls_port=self.tls_port,
            certificate=certificate.certificate, key=certificate.key, extra=extra,
            uid=self.uid, gid=self.gid, chroot="" if root else "chroot =",
            internal="dovecot" if root else me, login="dovenull" if root else me,
            internal_group="dovecot" if root else grp.getgrgid(self.gid).gr_name,
        ))  # fmt: skip
        self.process: subprocess.Popen | None = None

    def give(self, path: Path) -> None:
        """Makes path, and the new folders above it within mail/, the mail user's."""
        mail = self.directory / "mail"
        while path.is_relative_to(mail):
            os.chown(path, self.uid, self.gid)
            path = path.parent

    def start(self) -> "Dovecot":
        program = shutil.which("dovecot", path=os.environ["PATH"] + ":/usr/sbin")
        assert program, "dovecot is not installed"
        self.process = subprocess.Popen(
            [program, "-F", "-c", self.config], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                # A predecessor that was killed may still hold the port: only a greeting counts.
                with socket.create_connection((self.host, self.port), TIMEOUT) as probe:
                    if probe.recv(4) == b"* OK":
                        return self
            except OSError:
                if self.process.poll() is not None:
                    raise AssertionError(self.process.stderr.read().decode()) from None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(TIMEOUT)
            self.process.stderr.close()
            self.process = None

    def kill(self) -> None:
        """SIGKILL to every process of it, sessions too."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)
        self.process.stderr.close()
        self.process = None
        while self.lingers():  # or a successor would refuse to start
            time.sleep(0.01)

    def lingers(self) -> bool:
        """Whether some process of one that was killed is still there."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.directory / "run/login/login")) == 0

    def new_user(self) -> User:
        """One that no test had before."""
        name = next(self.fresh)
        return User(self, name, password(name))

    def user(self, name: str, secret: str = "") -> User:
        """One of this name. Dovecot looks at its file once a second: waits until it is known."""
        user = User(self, name, secret or password(name))
        with open(self.directory / "users", "a") as users:
            users.write(f"{name}:{user.password}\n")
        while True:
            try:
                with imaplib.IMAP4(self.host, self.port, timeout=TIMEOUT) as client:
                    client.authenticate(
                        "PLAIN", lambda _: f"\0{name}\0{user.password}".encode())
                return user
            except imaplib.IMAP4.error:
                time.sleep(0.1)

    def log(self) -> str:
        return (self.directory / "dovecot.log").read_text()

    def wait_log(self, *texts: str) -> str:
        """Waits for a line of the log that holds all texts; that line."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            for line in self.log().splitlines():
                if all(text in line for text in texts):
                    return line
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def as_config(self, tls: str = "none", ca: Path | None = None, **more) -> dict:
        """The imap block of a tenant."""
        return {
            "servers": [self.host],
            "port": self.tls_port if tls == "implicit" else self.port,
            "tls": tls,
            **({"ca_file": str(ca)} if ca else {}),
            **more,
        }


def tls_client(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))
