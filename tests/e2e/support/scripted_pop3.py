"""An old POP3 server, and what is wrong with it: no UIDL, no TOP, no CAPA, lies, vanishing.

It serves the same messages to every login. A test bends it by replacing the answer to a command:
server.on["UIDL"] = lambda peer, arguments: peer.send("-ERR what?\r\n").
"""

import base64
import hashlib
import socket
import threading
from collections.abc import Callable

from .corpus import stuffed, top
from .pop3 import TIMEOUT

CAPABILITIES = ["TOP", "UIDL", "USER", "PIPELINING"]


class Gone(Exception):
    """The connection is to end now."""


class Peer:
    """One connection of the harvest."""

    def __init__(self, connection: socket.socket):
        self.socket = connection
        self.buffer = b""
        self.login = ""

    def line(self) -> bytes:
        """The next command; empty at the end of the connection."""
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                return b""
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def send(self, data: str | bytes) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def lines(self, rows) -> None:
        self.send("+OK\r\n" + "".join(f"{row}\r\n" for row in rows) + ".\r\n")

    def vanish(self) -> None:
        raise Gone


class ScriptedPop3:
    """messages: pairs of unique-id and octets. passwords: None, or by login."""

    greeting = "+OK ready\r\n"

    def __init__(self, messages, *, capabilities=tuple(CAPABILITIES), passwords=None):
        self.messages = list(messages)
        self.capabilities = capabilities
        self.passwords = passwords
        self.on: dict[str, Callable[[Peer, str], None]] = {}
        self.seen: list[tuple[str, str]] = []  # every command, in order
        self.waiting = 0  # the most commands that were there at a time
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.problems: list[BaseException] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        assert not self.problems, self.problems

    def commands(self) -> list[str]:
        with self.lock:
            return [name for name, _ in self.seen]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(TIMEOUT)
            threading.Thread(target=self._serve, args=(Peer(connection),), daemon=True).start()

    def _serve(self, peer: Peer) -> None:
        try:
            peer.send(self.greeting)
            while line := peer.line():
                self.waiting = max(self.waiting, 1 + peer.buffer.count(b"\n"))
                name, _, arguments = line.rstrip(b"\r\n").decode().partition(" ")
                with self.lock:
                    self.seen.append((name, arguments))
                if handler := self.on.get(name):
                    handler(peer, arguments)
                else:
                    getattr(self, "do_" + name.lower(), self.unknown)(peer, arguments)
        except (Gone, OSError):
            pass
        except BaseException as problem:
            self.problems.append(problem)
        finally:
            peer.socket.close()

    @staticmethod
    def unknown(peer: Peer, _) -> None:
        peer.send("-ERR what?\r\n")

    def admit(self, peer: Peer, login: str, password: str) -> None:
        peer.login = login
        good = self.passwords is None or self.passwords.get(login) == password
        peer.send("+OK\r\n" if good else "-ERR [AUTH] no\r\n")

    # What a plain server does

    def do_capa(self, peer: Peer, _) -> None:
        if self.capabilities:
            peer.lines(self.capabilities)
        else:
            self.unknown(peer, _)

    def do_user(self, peer: Peer, arguments: str) -> None:
        peer.login = arguments
        peer.send("+OK\r\n")

    def do_pass(self, peer: Peer, arguments: str) -> None:
        self.admit(peer, peer.login, arguments)

    def do_apop(self, peer: Peer, arguments: str) -> None:
        login, digest = arguments.split(" ")
        stamp = self.greeting.split(" ")[-1].strip()
        wanted = hashlib.md5((stamp + self.passwords[login]).encode()).hexdigest()
        peer.send("+OK\r\n" if digest == wanted else "-ERR no\r\n")

    def do_auth(self, peer: Peer, arguments: str) -> None:
        mechanism, initial = arguments.split(" ")
        assert mechanism == "PLAIN"
        _, login, password = base64.b64decode(initial).decode().split("\0")
        self.admit(peer, login, password)

    def do_list(self, peer: Peer, _) -> None:
        peer.lines(f"{n} {len(octets)}" for n, (_, octets) in enumerate(self.messages, 1))

    def do_uidl(self, peer: Peer, _) -> None:
        peer.lines(f"{n} {unique}" for n, (unique, _) in enumerate(self.messages, 1))

    def do_top(self, peer: Peer, arguments: str) -> None:
        number, lines = map(int, arguments.split(" "))
        peer.send(b"+OK\r\n" + stuffed(top(self.messages[number - 1][1], lines)) + b".\r\n")
