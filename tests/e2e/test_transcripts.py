"""Runs tests/transcripts/*.txt; the format is described in tests/transcripts/README.md."""

import re

import pytest
import yaml

from conftest import LOGIN
from support.gateway import PASSWORD, TOP, free_port
from support.pop3 import Pop3

FILES = sorted((TOP / "tests/transcripts").glob("*.txt"))
ESCAPE = re.compile(rb"\\(x([0-9a-f]{2})|[trn\\])")
CONTROLS = {b"t": b"\t", b"r": b"\r", b"n": b"\n", b"\\": b"\\"}


def unescape(text: str) -> bytes:
    return ESCAPE.sub(
        lambda m: bytes([int(m[2], 16)]) if m[2] else CONTROLS[m[1]], text.encode())


class Transcript:
    def __init__(self, text: str):
        self.messages: list[bytes] = []
        self.settings: dict = {}
        self.listener = "pop3"
        self.login = False
        self.steps: list[tuple[int, str, str]] = []
        draft: bytes | None = None
        for number, line in enumerate(text.splitlines(), 1):
            kind, _, value = line.partition(" ")
            if not line or line.startswith("#"):
                continue
            if kind == "@":
                self._set(value)
            elif kind in ("M:", "M="):
                draft = (draft or b"") + unescape(value) + (b"\r\n" if kind == "M:" else b"")
            elif kind == "M":
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
        elif key == "tenant":
            self.settings["tenant"] = yaml.safe_load(value)
        elif key == "config":
            self.settings.update(yaml.safe_load(value))
        else:
            raise ValueError(f"@ {key}")


class Player:
    """Plays the client's part against a gateway."""

    def __init__(self, served, listener: str):
        self.served = served
        self.listener = listener
        self.client = self.connect()
        self.unsent = b""

    def connect(self) -> Pop3:
        return self.served.connect(self.listener, greet=False)

    def flush(self) -> None:
        if self.unsent:
            self.client.send(self.unsent)
            self.unsent = b""

    def sign_in(self) -> None:
        for command in (f"USER {LOGIN}", f"PASS {PASSWORD}"):
            assert self.client.command(command).startswith("+OK")

    def play(self, kind: str, value: str) -> None:
        if kind == "C:":
            self.unsent += unescape(value) + b"\r\n"
            return
        self.flush()
        if kind == "C=":
            self.client.send(unescape(value))
        elif kind == "S:":
            assert self.client.line() == unescape(value)
        elif kind == "S~":
            line = self.client.line()
            assert re.fullmatch(value.encode(), line), line
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
            self.client = self.connect()
        elif kind == "F:":
            assert len(self.served.maildir.files()) == int(value)
        else:
            raise ValueError(kind)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_transcript(file, local, gateway_config):
    transcript = Transcript(file.read_text())
    listeners = gateway_config()["listeners"]
    strict = {"name": "strict", "listen": [f"127.0.0.1:{free_port()}"], "tls": "starttls"}
    served = local(transcript.messages, **{
        "listeners": [*listeners, strict], **transcript.settings})
    player = Player(served, transcript.listener)
    if transcript.login:
        player.client.reply()
        player.sign_in()
    for number, kind, value in transcript.steps:
        try:
            player.play(kind, value)
        except Exception as problem:
            raise AssertionError(
                f"{file.name}:{number}: {kind} {value}: {type(problem).__name__} {problem}\n"
                f"{served.gateway.text()}") from problem
    player.flush()
    player.client.close()
