"""Conversations as text, and the client that plays them; tests/transcripts/README.md tells the form."""

import re
from pathlib import Path

import yaml

from .gateway import TOP
from .pop3 import Pop3

FOLDER = TOP / "tests/transcripts"
ESCAPE = re.compile(rb"\\(x([0-9a-f]{2})|[trn\\])")
CONTROLS = {b"t": b"\t", b"r": b"\r", b"n": b"\n", b"\\": b"\\"}
VARIABLE = re.compile(r"%\{(\w+)\}")


def unescape(text: str) -> bytes:
    return ESCAPE.sub(
        lambda m: bytes([int(m[2], 16)]) if m[2] else CONTROLS[m[1]], text.encode())


class Transcript:
    def __init__(self, file: Path):
        self.messages: list[bytes] = []
        self.settings: dict = {}
        self.backends = ["maildir"]
        self.listener = "pop3"
        self.login = False
        self.maildirsize = b""
        self.steps: list[tuple[int, str, str | bytes]] = []
        draft: bytes | None = None
        for number, line in enumerate(file.read_text().splitlines(), 1):
            kind, _, value = line.partition(" ")
            if not line or line.startswith("#"):
                continue
            if kind == "@":
                self._set(value)
            elif kind in ("M:", "M="):
                draft = (draft or b"") + unescape(value) + (b"\r\n" if kind == "M:" else b"")
            elif kind == "M":
                if self.steps:
                    self.steps.append((number, "M", draft or b""))
                else:
                    self.messages.append(draft or b"")
                draft = None
            else:
                self.steps.append((number, kind, value))
        assert draft is None, "a message without its M line"

    def _set(self, text: str) -> None:
        key, _, value = text.partition(":")
        if key == "login":
            self.login = True
        elif key == "listener":
            self.listener = value.strip()
        elif key == "maildirsize":
            self.maildirsize = unescape(value.strip())
        elif key == "backend":
            self.backends = value.split()
        elif key == "tenant":
            self.settings["tenant"] = yaml.safe_load(value)
        elif key == "config":
            self.settings.update(yaml.safe_load(value))
        else:
            raise ValueError(f"@ {key}")


class Player:
    """Plays the clients' part against a gateway."""

    def __init__(self, served, transcript: Transcript):
        self.served = served
        self.transcript = transcript
        self.values = {"login": served.login, "password": served.password}
        self.unsent = b""
        self.clients: dict[str, Pop3] = {}
        self.session("1")
        if transcript.login:
            self.client.reply()
            self.sign_in()

    def close(self) -> None:
        self.flush()
        for client in self.clients.values():
            client.close()

    def session(self, name: str) -> None:
        if name not in self.clients:
            self.clients[name] = self.connect()
        self.current = name

    @property
    def client(self) -> Pop3:
        return self.clients[self.current]

    def connect(self) -> Pop3:
        return self.served.connect(self.transcript.listener, greet=False)

    def flush(self) -> None:
        if self.unsent:
            self.client.send(self.unsent)
            self.unsent = b""

    def sign_in(self) -> None:
        for command in (f"USER {self.served.login}", f"PASS {self.served.password}"):
            assert self.client.command(command).startswith("+OK")

    def fill(self, text: str, quote=str) -> str:
        return VARIABLE.sub(lambda m: quote(self.values[m[1]]), text)

    def expect(self, pattern: str) -> None:
        line = self.client.line()
        found = re.fullmatch(self.fill(pattern, re.escape).encode(), line)
        assert found, line
        self.values |= {name: value.decode() for name, value in found.groupdict().items()}

    def play(self, kind: str, value: str | bytes) -> None:
        if kind == "C:":
            self.unsent += unescape(self.fill(value)) + b"\r\n"
            return
        self.flush()
        if kind == "C=":
            self.client.send(unescape(self.fill(value)))
        elif kind == "S:":
            line = self.client.line()
            assert line == unescape(self.fill(value)), line
        elif kind == "S~":
            self.expect(value)
        elif kind in ("S+", "S-"):
            wanted = ("+OK " if kind == "S+" else "-ERR ") + value
            line = self.client.reply()
            assert line.startswith(wanted.rstrip()), line
            assert kind == "S+" or len(line) > len("-ERR "), "an -ERR tells why"
        elif kind == "S*":
            while self.client.line() != unescape(value):
                pass
        elif kind == "S.":
            self.client.closed()
        elif kind == "TLS":
            self.client.start_tls(self.served.tls)
        elif kind == "LOGIN":
            self.sign_in()
        elif kind == "CLOSE":
            self.client.close()
        elif kind == "CONNECT":
            self.client.close()
            self.clients[self.current] = self.connect()
        elif kind == "SESSION":
            self.session(value)
        elif kind == "RESTART":
            self.served.gateway.stop()
            self.served.gateway.start()
        elif kind == "M":
            self.served.deliver(value)
        elif kind == "GONE":
            self.served.remove(int(value))
        elif kind == "F:":
            assert self.served.held() == int(value)
        else:
            raise ValueError(kind)
