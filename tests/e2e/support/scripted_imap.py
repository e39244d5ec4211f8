"""An IMAP server that does what Dovecot will not: stall, lie, vanish.

It serves one mailbox of messages well enough for a session. A test bends it by replacing the answer
to a command: server.on["SELECT"] = lambda peer, arguments: peer.no("[UNAVAILABLE] later").
"""

import re
import socket
import threading
from collections.abc import Callable, Iterable

from .gateway import free_port
from .pop3 import TIMEOUT

CAPABILITIES = "IMAP4rev1 UIDPLUS MOVE SASL-IR LITERAL+ ID"


class Gone(Exception):
    """The connection is to end now."""


class Peer:
    """One connection of the gateway."""

    def __init__(self, server: "ScriptedImap", connection: socket.socket):
        self.server = server
        self.socket = connection
        self.stream = connection.makefile("rb")
        self.tag = "*"
        self.deleted: set[int] = set()

    def send(self, data: str | bytes) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def untagged(self, text: str) -> None:
        self.send(f"* {text}\r\n")

    def ok(self, text: str = "done") -> None:
        self.send(f"{self.tag} OK {text}\r\n")

    def no(self, text: str = "failed") -> None:
        self.send(f"{self.tag} NO {text}\r\n")

    def bad(self, text: str = "wrong") -> None:
        self.send(f"{self.tag} BAD {text}\r\n")

    def vanish(self) -> None:
        """Ends the connection as a killed server does."""
        raise Gone

    def stall(self) -> None:
        """Says nothing until the gateway gives up, or the test ends."""
        self.socket.settimeout(None)
        while self.socket.recv(4096):
            pass
        raise Gone

    def command(self) -> tuple[str, str]:
        """The next command and its arguments; literals are put in their places, in quotes."""
        line = self._line()
        while literal := re.search(rb"\{(\d+)(\+?)\}$", line):
            if not literal[2]:
                self.send("+ go on\r\n")
            text = self.stream.read(int(literal[1]))
            line = line[: literal.start()] + b'"' + text + b'"' + self._line()
        self.tag, _, rest = line.decode("utf-8", "replace").partition(" ")
        name, _, arguments = rest.partition(" ")
        name = name.upper()
        if name == "UID":
            second, _, arguments = arguments.partition(" ")
            name = f"UID {second.upper()}"
        return name, arguments

    def _line(self) -> bytes:
        line = self.stream.readline()
        if not line.endswith(b"\n"):
            raise Gone
        return line.rstrip(b"\r\n")


class ScriptedImap:
    def __init__(self, messages: Iterable[bytes], *, host: str = "127.0.0.1", port: int = 0,
                 capabilities: str = CAPABILITIES, uidvalidity: int = 7):
        self.messages = {uid: octets for uid, octets in enumerate(messages, 1)}
        self.capabilities = capabilities
        self.uidvalidity = uidvalidity
        self.uidnext = len(self.messages) + 1
        self.greeting = "* OK ready\r\n"
        self.on: dict[str, Callable[[Peer, str], None]] = {}
        self.seen: list[tuple[str, str]] = []  # every command, in order
        self.changed = threading.Condition()
        self.host = host
        self.listener = socket.create_server((host, port or free_port(host)))
        self.port = self.listener.getsockname()[1]
        self.peers: list[Peer] = []
        self.problems: list[BaseException] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def as_config(self, **more) -> dict:
        return {"servers": [self.host], "port": self.port, "tls": "none", **more}

    def close(self) -> None:
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for peer in self.peers:
            try:
                peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        assert not self.problems, self.problems

    def commands(self, name: str) -> list[str]:
        """The arguments of every such command so far."""
        with self.changed:
            return [arguments for command, arguments in self.seen if command == name]

    def wait(self, name: str, count: int = 1) -> str:
        """Waits for the command; its arguments."""
        with self.changed:
            def found():
                return [a for c, a in self.seen if c == name]
            assert self.changed.wait_for(lambda: len(found()) >= count, TIMEOUT), self.seen
            return found()[count - 1]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            peer = Peer(self, connection)
            self.peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: Peer) -> None:
        try:
            if callable(self.greeting):
                self.greeting(peer)
            else:
                peer.send(self.greeting)
            while True:
                name, arguments = peer.command()
                with self.changed:
                    self.seen.append((name, arguments))
                    self.changed.notify_all()
                default = getattr(self, "do_" + name.lower().replace(" ", "_"), None)
                if handler := self.on.get(name):
                    handler(peer, arguments)
                elif default:
                    default(peer, arguments)
                else:
                    peer.bad("unknown command")
        except (Gone, OSError):
            pass
        except BaseException as problem:
            self.problems.append(problem)
        finally:
            # shutdown, since a blocked reader elsewhere would keep the descriptor open
            try:
                peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            peer.socket.close()

    # What a plain server does

    def do_capability(self, peer: Peer, _) -> None:
        peer.untagged(f"CAPABILITY {self.capabilities}")
        peer.ok()

    def do_noop(self, peer: Peer, _) -> None:
        peer.ok()

    def do_id(self, peer: Peer, _) -> None:
        peer.untagged("ID NIL")
        peer.ok()

    def do_login(self, peer: Peer, _) -> None:
        peer.ok("logged in")

    def do_authenticate(self, peer: Peer, arguments: str) -> None:
        if " " not in arguments:
            peer.send("+ \r\n")
            peer.stream.readline()
        peer.ok("logged in")

    def do_select(self, peer: Peer, _) -> None:
        peer.untagged(r"FLAGS (\Answered \Flagged \Deleted \Seen \Draft)")
        peer.untagged(f"{len(self.messages)} EXISTS")
        peer.untagged("0 RECENT")
        peer.untagged(f"OK [UIDVALIDITY {self.uidvalidity}] valid")
        peer.untagged(f"OK [UIDNEXT {self.uidnext}] next")
        peer.ok("[READ-WRITE] selected")

    do_examine = do_select

    def chosen(self, uids: str) -> list[int]:
        last = max(self.messages, default=0)
        chosen = set()
        for part in uids.split(","):
            first, _, end = part.partition(":")
            ends = sorted(last if e == "*" else int(e) for e in (first, end or first))
            chosen |= {uid for uid in self.messages if ends[0] <= uid <= ends[1]}
        return sorted(chosen)

    def do_uid_fetch(self, peer: Peer, arguments: str) -> None:
        uids, _, items = arguments.partition(" ")
        for uid in self.chosen(uids):
            number = sorted(self.messages).index(uid) + 1
            peer.send(f"* {number} FETCH (UID {uid}".encode() + self.items(uid, items) + b")\r\n")
        peer.ok("fetched")

    def items(self, uid: int, items: str) -> bytes:
        octets = self.messages[uid]
        result = b""
        if "FLAGS" in items:
            result += b" FLAGS ()"
        if "INTERNALDATE" in items:
            result += b' INTERNALDATE "01-Jan-2025 00:00:%02d +0000"' % (uid % 60)
        if "RFC822.SIZE" in items:
            result += b" RFC822.SIZE %d" % len(octets)
        for section, start, count in re.findall(
                r"BODY(?:\.PEEK)?\[([^]]*)\](?:<(\d+)\.(\d+)>)?", items):
            part = self.section(octets, section)
            origin = b""
            if start:
                part = part[int(start) : int(start) + int(count)]
                origin = b"<%d>" % int(start)
            result += b" BODY[%s]%s {%d}\r\n" % (section.encode(), origin, len(part)) + part
        return result

    @staticmethod
    def section(octets: bytes, section: str) -> bytes:
        head, blank, body = octets.partition(b"\r\n\r\n")
        return {"HEADER": head + blank, "TEXT": body}.get(section.upper(), octets)

    def do_uid_store(self, peer: Peer, arguments: str) -> None:
        uids, _, change = arguments.partition(" ")
        if "\\DELETED" in change.upper() and change.startswith("+"):
            peer.deleted |= set(self.chosen(uids))
        peer.ok("stored")

    def do_uid_expunge(self, peer: Peer, arguments: str) -> None:
        for uid in self.chosen(arguments):
            if uid in peer.deleted:
                del self.messages[uid]
        peer.ok("expunged")

    def do_close(self, peer: Peer, _) -> None:
        peer.ok()

    do_unselect = do_close
    do_namespace = do_close
    do_list = do_close

    def do_logout(self, peer: Peer, _) -> None:
        peer.untagged("BYE until later")
        peer.ok()
        peer.vanish()
