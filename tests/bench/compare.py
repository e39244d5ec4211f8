"""Runs the same load against the gateway and its peers, side by side, and prints a table.

Started by run.sh. CPU is what the server's whole process tree spent per session; it is steadier than
time on a shared machine. For the gateway over IMAP the IMAP server's own share is shown apart.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/e2e"))

from support.certificates import Authority  # noqa: E402
from support.dovecot import Dovecot  # noqa: E402
from support.gateway import Gateway, free_port  # noqa: E402

LOAD = TOP / "build/bench/bench/popgate_load"
LOGIN, PASSWORD = "bench@acme.example", "bench-password"

POP3 = """
protocols = imap pop3
service pop3-login {{
  {chroot}
  service_count = 0
  process_min_avail = 2
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
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

WORKS = {
    "login": ("login", "none"),
    "poll": ("poll", "none"),
    "poll-tls": ("poll", "implicit"),
    "retr": ("retr", "none"),
}


def message(number: int, octets: int) -> bytes:
    head = f"From: a@sender.example\nTo: {LOGIN}\nSubject: message {number}\n\n".encode()
    line = b"x" * 75 + b"\n"
    return head + line * max(1, (octets - len(head)) // len(line))


def fill(maildir: Path, messages: int, octets: int) -> None:
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    for number in range(messages):
        text = message(number, octets)
        wire = len(text) + text.count(b"\n")
        name = f"{1700000000 + number}.M{number}P1.bench,S={len(text)},W={wire}:2,S"
        (maildir / "cur" / name).write_bytes(text)


class Server:
    """Something that speaks POP3, and the processes whose cost counts."""

    def __init__(self, name: str, pid: int, port: int, tls_port: int, behind: int = 0):
        self.name, self.pid, self.port, self.tls_port, self.behind = name, pid, port, tls_port, behind

    def load(self, work: str, connections: int, sessions: int) -> dict:
        verb, tls = WORKS[work]
        command = [LOAD, "--work", verb, "--tls", tls, "--json", "--user", LOGIN,
                   "--password", PASSWORD, "--connections", connections, "--sessions", sessions,
                   "--pid", self.pid, "--port", self.tls_port if tls == "implicit" else self.port]
        if self.behind:
            command += ["--behind", self.behind]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{self.name}: {work}: {done.stderr.strip()}")
        return json.loads(done.stdout)


def start_dovecot(directory: Path, certificate, extra: str) -> tuple[Dovecot, int, int]:
    ports = free_port(), free_port()
    chroot = "" if os.getuid() == 0 else "chroot ="
    text = POP3.format(port=ports[0], tls_port=ports[1], chroot=chroot) + extra
    dovecot = Dovecot(directory, certificate, extra=text)
    with open(dovecot.directory / "users", "a") as users:
        users.write(f"{LOGIN}:{PASSWORD}\n")
    return dovecot, *ports


def start_gateway(directory: Path, certificate, tenant: dict) -> tuple[Gateway, int, int]:
    ports = free_port(), free_port()
    directory.mkdir()
    gateway = Gateway(directory, {
        "hostname": "localhost", "state": f"sqlite:{directory}/state.db", "workers": 2,
        "admin": {"listen": ""},
        "listeners": [
            {"name": "pop3", "listen": [f"127.0.0.1:{ports[0]}"], "tls": "none",
             "plaintext_login": True},
            {"name": "pop3s", "listen": [f"127.0.0.1:{ports[1]}"], "tls": "implicit"},
        ],
        "certificates": [{"certificate": str(certificate.certificate), "key": str(certificate.key)}],
        "tenants": [{"name": "bench", "sessions_per_user": 10000, **tenant}],
    })  # fmt: skip
    gateway.start()
    return gateway, *ports


def table(rows: list[dict], baseline: str) -> None:
    print("| work | server | CPU ms/session | sessions/s | p50 ms | p99 ms | CPU against the first |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        first = next(r for r in rows if r["case"] == row["case"])
        ratio = f'{row["cpu_ms"] / first["cpu_ms"]:.2f}' if first["cpu_ms"] else "–"
        behind = f' (+ {row["behind_cpu_ms"]:.2f} IMAP server)' if row["behind_cpu_ms"] else ""
        print(f'| {row["case"]} | {row["server"]} | {row["cpu_ms"]:.3f}{behind} | '
              f'{row["per_second"]:.0f} | {row["p50_ms"]:.2f} | {row["p99_ms"]:.2f} | {ratio} |')


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("works", nargs="*", default=list(WORKS), metavar="WORK")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--octets", type=int, default=2000, help="of a message")
    parser.add_argument("--sessions", type=int, default=300)
    parser.add_argument("--keep", action="store_true", help="leave the folder with the servers' logs")
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="popgate-bench-"))
    directory.chmod(0o711)
    running = []
    try:
        rows = measure(options, directory, running)
    finally:
        for server in reversed(running):
            server.stop()
        if options.keep:
            print(directory, file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        table(rows, rows[0]["server"])


def measure(options, directory: Path, running: list) -> list[dict]:
    certificate = Authority(directory / "ca").issue("localhost", "127.0.0.1")
    store, port, tls_port = start_dovecot(directory / "dovecot", certificate, "")
    fill(store.directory / "mail" / LOGIN / "Maildir", options.messages, options.octets)
    subprocess.run(["chown", "-R", f"{store.uid}:{store.gid}", store.directory / "mail"], check=True)
    running.append(store.start())
    servers = [Server("Dovecot pop3d, Maildir", store.process.pid, port, tls_port)]
    over, port, tls_port = start_dovecot(
        directory / "imapc", certificate, IMAPC.format(imap_port=store.port, password=PASSWORD))
    running.append(over.start())
    servers.append(Server("Dovecot pop3d, imapc", over.process.pid, port, tls_port,
                          behind=store.process.pid))
    own = directory / "Maildir"
    fill(own, options.messages, options.octets)
    users = directory / "users"
    hashed = subprocess.run(["openssl", "passwd", "-6", "-salt", "rounds=1000$popgatebench", PASSWORD],
                            capture_output=True, text=True, check=True).stdout.strip()
    users.write_text(f"{LOGIN}:{hashed}\n")
    gateway, port, tls_port = start_gateway(directory / "gm", certificate, {
        "maildir": {"path": str(own)}, "auth": {"users_file": str(users)}})
    running.append(gateway)
    servers.append(Server("popgate, Maildir", gateway.process.pid, port, tls_port))
    gateway, port, tls_port = start_gateway(directory / "gi", certificate, {
        "imap": {"servers": ["127.0.0.1"], "port": store.port, "tls": "none"}})
    running.append(gateway)
    servers.append(Server("popgate, IMAP", gateway.process.pid, port, tls_port,
                          behind=store.process.pid))
    rows = []
    for work in options.works:
        for server in servers:
            sessions = options.sessions if work != "retr" else max(8, options.sessions // 20)
            server.load(work, 2, 4)  # indexes, caches, registry
            result = server.load(work, options.connections, sessions)
            rows.append({"case": work, "server": server.name, **result})
    return rows


if __name__ == "__main__":
    main()
