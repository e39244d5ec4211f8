"""The servers of the benchmark: the gateway, its peers, and the floor beneath them all.

Each speaks POP3 on a plain and a TLS port of its own, to the same users with the same mail.
"""

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/e2e"))

from support.certificates import Authority  # noqa: E402
from support.dovecot import Dovecot  # noqa: E402
from support.gateway import Gateway, free_port  # noqa: E402

BUILD = Path(os.environ["POPGATE_BINARY"]).parent
PASSWORD = "bench-password"
FIRST_ARRIVAL = 1700000000
MANY = 5000  # from here on messages are links to a few files

POP3 = """
protocols = imap pop3
mail_max_userip_connections = 0
service pop3-login {{
  {chroot}
  service_count = 0
  process_min_avail = 2
  client_limit = 20000
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
}}
service pop3 {{
  process_limit = 4000
}}
service imap {{
  process_limit = 4000
}}
"""

IMAPC = """
mail_location = imapc:~/imapc
imapc_host = 127.0.0.1
imapc_port = {imap_port}
imapc_user = %u
imapc_password = {password}
imapc_features = rfc822.size fetch-headers
"""

NGINX = """
daemon off;
worker_processes 2;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
load_module modules/ngx_mail_module.so;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{auth};
    location / {{
      add_header Auth-Status OK;
      add_header Auth-Server 127.0.0.1;
      add_header Auth-Port {behind};
      return 204;
    }}
  }}
}}
mail {{
  auth_http 127.0.0.1:{auth}/;
  pop3_capabilities TOP UIDL USER;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  ssl_session_cache shared:tls:10m;
  server {{ listen 127.0.0.1:{port}; protocol pop3; }}
  server {{ listen 127.0.0.1:{tls_port} ssl; protocol pop3; }}
}}
"""


def message(number: int, octets: int) -> bytes:
    head = (f"Message-ID: <{number}@bench.example>\nFrom: a@sender.example\n"
            f"Subject: message {number}\n\n").encode()
    line = b"x" * 75 + b"\n"
    return head + line * max(1, (octets - len(head)) // len(line))


def fill(maildir: Path, messages: int, octets: int) -> None:
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    for number in range(messages):
        text = message(number, octets)
        wire = len(text) + text.count(b"\n")
        name = f"{FIRST_ARRIVAL + number}.M{number}P1.bench,S={len(text)},W={wire}:2,S"
        (maildir / "cur" / name).write_bytes(text)


def fill_fast(maildir: Path, messages: int, octets: int) -> None:
    """The same by names alone: many links to each of a few files."""
    fill(maildir, 0, 0)
    text = message(0, octets)
    wire = len(text) + text.count(b"\n")
    for number in range(messages):
        name = maildir / f"cur/{FIRST_ARRIVAL + number}.M{number}P1.bench,S={len(text)},W={wire}:2,S"
        if number % 60_000 == 0:
            name.write_bytes(text)
            first = name
        else:
            os.link(first, name)


class Mail:
    """Users whose names say what their maildrops hold, for every server alike."""

    def __init__(self):
        self.users: dict[str, tuple[int, int]] = {}

    def add(self, name: str, count: int, messages: int, octets: int) -> None:
        """name1@acme.example … with so many messages of that size each."""
        for number in range(1, count + 1):
            self.users[f"{name}{number}@acme.example"] = messages, octets

    def write(self, root: Path, owner: tuple[int, int] | None = None) -> None:
        for user, (messages, octets) in self.users.items():
            make = fill_fast if messages > MANY else fill
            make(root / user / "Maildir", messages, octets)
        if owner:
            subprocess.run(["chown", "-R", f"{owner[0]}:{owner[1]}", root], check=True)


class Server:
    """Something that speaks POP3, and the processes whose cost counts."""

    def __init__(self, name, process, port: int, tls_port: int, behind: int = 0, stop=None):
        self.name, self.process, self.port, self.tls_port = name, process, port, tls_port
        self.behind = behind  # pid of the server behind a gateway
        self.stop = stop or self.terminate

    def terminate(self) -> None:
        self.process.terminate()
        self.process.wait()


class Bench:
    """Starts what a run needs, in one folder, and ends it."""

    def __init__(self, directory: Path, mail: Mail):
        self.directory, self.mail = directory, mail
        self.running: list = []
        self.certificate = Authority(directory / "ca").issue("localhost", "127.0.0.1")
        self.serial = 0
        self.maildirs = None

    def folder(self, name: str) -> Path:
        self.serial += 1
        folder = self.directory / f"{self.serial}-{name}"
        folder.mkdir()
        return folder

    def close(self) -> None:
        for server in reversed(self.running):
            server.stop()

    def dovecot(self, name: str, extra: str = "", filled: bool = True) -> tuple[Dovecot, int, int]:
        port, tls_port = free_port(), free_port()
        chroot = "" if os.getuid() == 0 else "chroot ="
        directory = self.folder("dovecot")
        directory.rmdir()
        server = Dovecot(directory, self.certificate,
                         extra=POP3.format(port=port, tls_port=tls_port, chroot=chroot) + extra)
        with open(server.directory / "users", "a") as users:
            users.writelines(f"{user}:{PASSWORD}\n" for user in self.mail.users)
        if filled:
            self.mail.write(server.directory / "mail", (server.uid, server.gid))
        server.start()
        self.running.append(server)
        return server, port, tls_port

    def dovecot_maildir(self) -> tuple[Server, int]:
        """Also the IMAP server behind the gateways: its port."""
        server, port, tls_port = self.dovecot("maildir")
        return Server("Dovecot, Maildir", server.process, port, tls_port), server.port

    def dovecot_imapc(self, imap_port: int, behind: int) -> Server:
        extra = IMAPC.format(imap_port=imap_port, password=PASSWORD)
        server, port, tls_port = self.dovecot("imapc", extra, filled=False)
        return Server("Dovecot over imapc", server.process, port, tls_port, behind)

    def nginx(self, behind_port: int, behind: int) -> Server:
        port, tls_port, auth = free_port(), free_port(), free_port()
        directory = self.folder("nginx")
        directory.chmod(0o755)
        file = directory / "nginx.conf"
        file.write_text(NGINX.format(
            directory=directory, port=port, tls_port=tls_port, auth=auth, behind=behind_port,
            certificate=self.certificate.certificate, key=self.certificate.key))
        process = subprocess.Popen(["nginx", "-c", file, "-e", directory / "error.log"])
        server = Server("nginx, relaying", process, port, tls_port, behind)
        self.running.append(server)
        wait_for(port)
        return server

    def gateway(self, name: str, tenant: dict, behind: int = 0, more=(), **settings) -> Server:
        port, tls_port = free_port(), free_port()
        directory = self.folder("gateway")
        gateway = Gateway(directory, {
            "hostname": "localhost", "state": f"sqlite:{directory}/state.db", "workers": 2,
            "admin": {"listen": ""},
            "limits": {"sessions": 30000, "sessions_per_address": 30000},
            "listeners": [
                {"name": "pop3", "listen": [f"127.0.0.1:{port}"], "tls": "none",
                 "plaintext_login": True},
                {"name": "pop3s", "listen": [f"127.0.0.1:{tls_port}"], "tls": "implicit"},
            ],
            "certificates": [{"certificate": str(self.certificate.certificate),
                              "key": str(self.certificate.key)}],
            "tenants": [*more, {"name": "bench", "sessions_per_user": 30000, **tenant}],
            **settings,
        })  # fmt: skip
        gateway.start()
        self.running.append(gateway)
        server = Server(name, gateway.process, port, tls_port, behind)
        server.gateway = gateway
        return server

    def gateway_maildir(self, name="popgate, Maildir", more=()) -> Server:
        """All of them on the same Maildirs, each with a registry of its own."""
        if not self.maildirs:
            self.maildirs = self.folder("maildirs")
            self.mail.write(self.maildirs)
        root = self.maildirs
        users = root / "users"
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-salt", "popgatebench", PASSWORD],
            capture_output=True, text=True, check=True).stdout.strip()
        users.write_text("".join(f"{user}:{hashed}\n" for user in self.mail.users))
        return self.gateway(name, {
            "maildir": {"path": f"{root}/%{{login}}/Maildir"}, "auth": {"users_file": str(users)}},
            more=more)

    def gateway_imap(self, imap_port: int, behind: int, name="popgate, IMAP", **imap) -> Server:
        return self.gateway(name, {"imap": {
            "servers": ["127.0.0.1"], "port": imap_port, "tls": "none", **imap}}, behind)

    def floor(self, messages: int, octets: int) -> Server:
        port, tls_port = free_port(), free_port()
        process = subprocess.Popen(
            [BUILD / "bench/popgate_floor", str(port), str(tls_port), str(messages), str(octets),
             self.certificate.certificate, self.certificate.key], stdout=subprocess.PIPE)
        process.stdout.readline()
        server = Server("the floor", process, port, tls_port)
        self.running.append(server)
        return server

    def relay(self, port: int, milliseconds: int) -> int:
        """A port behind which the other is so far away: half a round trip."""
        own = free_port()
        process = subprocess.Popen(
            [BUILD / "bench/popgate_relay", str(own), str(port), str(milliseconds)],
            stdout=subprocess.PIPE)
        process.stdout.readline()
        self.running.append(Server("relay", process, own, own))
        return own


def wait_for(port: int) -> None:
    import socket
    import time

    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")
