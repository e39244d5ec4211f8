"""A POP3 client that hides nothing: exact octets, any command, any order."""

import re
import socket
import ssl

TIMEOUT = 120  # seconds; a test that reaches it has failed, none measures it


class Closed(Exception):
    """The gateway closed the connection."""


class Refused(Exception):
    """-ERR where +OK was expected, or the reverse; the text is the reply."""


class Pop3:
    """One connection. Commands are str (sent as UTF-8) or bytes, without their CRLF."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None,
                 server_name: str = "localhost", greet: bool = True, before: bytes = b"",
                 source: str = "", session: ssl.SSLSession | None = None):
        self.socket = socket.create_connection(
            (host, port), TIMEOUT, source_address=(source, 0) if source else None)
        self.buffer = b""
        self.tls = tls
        if before:
            self.socket.sendall(before)
        if tls:
            self.start_tls(tls, server_name, session)
        self.greeting = self.reply() if greet else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Without QUIT: what a client that vanishes does."""
        self.socket.close()

    def start_tls(self, context: ssl.SSLContext, server_name: str = "localhost",
                  session: ssl.SSLSession | None = None) -> None:
        assert not self.buffer, f"input before the handshake: {self.buffer!r}"
        self.socket = context.wrap_socket(
            self.socket, server_hostname=server_name, session=session)

    # Octets

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _fill(self) -> None:
        try:
            data = self.socket.recv(262144)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) as error:
            raise Closed(self.buffer) from error
        if not data:
            raise Closed(self.buffer)
        self.buffer += data

    def line(self) -> bytes:
        """The next line, which must end in CRLF, without it."""
        while b"\n" not in self.buffer:
            self._fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        assert line.endswith(b"\r"), f"a line without CRLF: {line!r}"
        return line[:-1]

    def rest(self) -> bytes:
        """Everything until the gateway closes the connection."""
        while True:
            try:
                self._fill()
            except Closed:
                data, self.buffer = self.buffer, b""
                return data

    def closed(self) -> None:
        """Asserts that nothing more comes and the connection ends."""
        assert self.rest() == b""

    # Replies

    def reply(self) -> str:
        line = self.line()
        assert re.match(rb"\+OK( |$)|-ERR( |$)|\+ ", line), f"not a POP3 reply: {line!r}"
        assert len(line) + 2 <= 512 or line.startswith(b"+ "), "a reply is at most 512 octets"
        return line.decode()

    def command(self, command: str | bytes) -> str:
        self.send((command.encode() if isinstance(command, str) else command) + b"\r\n")
        return self.reply()

    def ok(self, command: str | bytes) -> str:
        """Sends it, asserts +OK, returns the text behind."""
        reply = self.command(command)
        if not reply.startswith("+OK"):
            raise Refused(f"{command!r}: {reply}")
        return reply[4:]

    def err(self, command: str | bytes) -> str:
        """Sends it, asserts -ERR with a text, returns the text."""
        reply = self.command(command)
        if not reply.startswith("-ERR "):
            raise Refused(f"{command!r}: {reply}")
        return reply[5:]

    def multiline_raw(self) -> bytes:
        """The octets of a multi-line answer after its first line, as sent, with the end line."""
        searched = 0
        data = bytearray(b"\r\n" + self.buffer)  # the first line may be the end line
        while (end := data.find(b"\r\n.\r\n", max(0, searched - 4))) < 0:
            searched = len(data)
            self.buffer = b""
            self._fill()
            data += self.buffer
        self.buffer = bytes(data[end + 5 :])
        return bytes(data[2 : end + 5])

    def multiline(self, command: str | bytes) -> bytes:
        """Sends it, asserts +OK, returns the octets without dot-stuffing and end line."""
        self.ok(command)
        return self.unstuff(self.multiline_raw())

    @staticmethod
    def unstuff(raw: bytes) -> bytes:
        assert raw.endswith(b".\r\n")
        body = raw[:-3]
        assert b"\n" not in body.replace(b"\r\n", b""), "a bare LF"
        return re.sub(rb"(?m)^\.", b"", body)

    # What every test does

    def login(self, login: str, password: str) -> "Pop3":
        self.ok(f"USER {login}")
        self.ok(f"PASS {password}")
        return self

    def retr(self, number: int) -> bytes:
        return self.multiline(f"RETR {number}")

    def top(self, number: int, lines: int) -> bytes:
        return self.multiline(f"TOP {number} {lines}")

    def rows(self, command: str) -> list[str]:
        return self.multiline(command).decode().splitlines()

    def sizes(self) -> dict[int, int]:
        return {int(n): int(size) for n, size in (row.split(" ") for row in self.rows("LIST"))}

    def ids(self) -> dict[int, str]:
        return {int(n): unique for n, unique in (row.split(" ") for row in self.rows("UIDL"))}

    def stat(self) -> tuple[int, int]:
        count, octets = self.ok("STAT").split(" ")
        return int(count), int(octets)

    def capabilities(self) -> list[str]:
        return self.rows("CAPA")

    def quit(self) -> str:
        text = self.ok("QUIT")
        self.closed()
        return text
