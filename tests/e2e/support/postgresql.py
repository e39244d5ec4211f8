"""A real PostgreSQL server: over TLS on loopback, and on a unix socket for the tests themselves."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from .gateway import TIMEOUT, free_port, password

ROLE = "popgate"

SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{directory}'
fsync = off
max_connections = 60
password_encryption = 'scram-sha-256'
ssl = on
ssl_cert_file = '{directory}/server.pem'
ssl_key_file = '{directory}/server.key'
"""

ACCESS = """
local all postgres trust
local replication postgres trust
hostssl all all 127.0.0.1/32 scram-sha-256
"""


def program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, f"{name} is not installed"
    return str(found[-1])


class PostgreSQL:
    """`postgres`, by an account without privileges when the tests are root's."""

    def __init__(self, directory: Path, certificate, *, primary: "PostgreSQL | None" = None):
        """Beside a primary it is its standby, with what that has now."""
        directory.mkdir()
        self.directory = directory
        self.port = free_port()
        self.account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.process: subprocess.Popen | None = None
        self.databases = primary.databases if primary else 0
        shutil.copy(certificate.certificate, directory / "server.pem")
        shutil.copy(certificate.key, directory / "server.key")
        os.chmod(directory / "server.key", 0o600)
        self.passfile = self.write_passfile("passfile", password(ROLE))
        if self.account:
            for path in (directory, directory / "server.pem", directory / "server.key"):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        self.data = directory / "data"
        if primary:
            self._run("pg_basebackup", "-D", self.data, "-R", "-c", "fast",
                      "-h", primary.directory, "-p", primary.port, "-U", "postgres")
        else:
            self._run("initdb", "--pgdata", self.data, "--username", "postgres", "--auth", "trust",
                      "--no-sync", "--encoding", "UTF8", "--locale", "C")
            (self.data / "pg_hba.conf").write_text(ACCESS)
        with open(self.data / "postgresql.conf", "a") as settings:
            settings.write(SETTINGS.format(directory=directory, port=self.port))

    def _run(self, name: str, *arguments) -> None:
        done = subprocess.run([program(name), *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=TIMEOUT, **self._as_account())
        assert done.returncode == 0, done.stderr.decode()

    def _as_account(self) -> dict:
        if not self.account:
            return {"cwd": self.directory}
        return {"cwd": self.directory, "user": self.account.pw_uid, "group": self.account.pw_gid,
                "extra_groups": []}

    def write_passfile(self, name: str, secret: str) -> Path:
        path = self.directory / name
        path.write_text(f"*:*:*:*:{secret}\n")
        path.chmod(0o600)
        return path

    # Process

    def start(self) -> "PostgreSQL":
        """Returns once it answers; also behind a crash, whose leftovers may hold it up."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            if self.process is None or self.process.poll() is not None:
                with open(self.directory / "log", "a") as log:
                    self.process = subprocess.Popen(
                        [program("postgres"), "-D", self.data], stdin=subprocess.DEVNULL,
                        stdout=log, stderr=log, start_new_session=True, **self._as_account(),
                    )  # fmt: skip
            if self._psql("postgres", "SELECT 1").returncode == 0:
                return self
            assert time.monotonic() < deadline, (self.directory / "log").read_text()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """In order; sessions are ended. SIGQUIT: at once."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(TIMEOUT)
            self.process = None

    def end(self) -> None:
        self.stop(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL; its processes notice and end."""
        self.process.kill()
        self.process.wait(TIMEOUT)
        self.process = None

    def _tree(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, children.read_text().split())]

    def halt(self) -> None:
        """It takes connections, and says nothing."""
        for pid in self._tree():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in self._tree():
            os.kill(pid, signal.SIGCONT)

    # Databases

    def _psql(self, database: str, text: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-p",
             str(self.port), "-U", "postgres", "-d", database, "-c", text],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
        )  # fmt: skip

    def sql(self, text: str, database: str = "postgres") -> str:
        done = self._psql(database, text)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def new_database(self) -> "Database":
        """An empty one, of the role that the gateway has."""
        self.databases += 1
        name = f"mail{self.databases}"
        if self.databases == 1:
            self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password(ROLE)}'")
        self.sql(f"CREATE DATABASE {name} OWNER {ROLE}")
        return Database(self, name)


class Database:
    def __init__(self, server: PostgreSQL, name: str):
        self.server = server
        self.name = name

    def uri(self, ca: Path, *, passfile: Path | None = None, standby: PostgreSQL | None = None,
            **more: str) -> str:
        """What a gateway's `state` says."""
        options = {"sslmode": "verify-full", "sslrootcert": str(ca),
                   "passfile": str(passfile or self.server.passfile), **more}
        query = "&".join(f"{key}={quote(value, safe='/')}" for key, value in options.items())
        hosts = ",".join(f"localhost:{s.port}" for s in (self.server, standby) if s)
        return f"postgresql://{ROLE}@{hosts}/{self.name}?{query}"

    def sql(self, text: str) -> str:
        return self.server.sql(text, self.name)
