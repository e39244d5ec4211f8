"""Client sides of SASL: SCRAM as RFC 5802 has it, written here to be bent, and libgsasl's own."""

import base64
import ctypes
import hashlib
import hmac
import re
import secrets
import subprocess

from .pop3 import TIMEOUT, Pop3


def encode(octets: bytes | str) -> str:
    return base64.b64encode(octets.encode() if isinstance(octets, str) else octets).decode()


def decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def plain(login: str, secret: str, identity: str = "") -> str:
    return encode(f"{identity}\0{login}\0{secret}")


def start(client: Pop3, mechanism: str, initial: bytes | None = None) -> str:
    """AUTH; initial is sent with it. The server's answer."""
    if initial is None:
        return client.command(f"AUTH {mechanism}")
    return client.command(f"AUTH {mechanism} {encode(initial) or '='}")


def challenge(answer: str) -> bytes:
    assert answer.startswith("+ "), answer
    return decode(answer[2:])


def scram_keys(secret: str, iterations: int = 4096, salt: bytes = b"saltsaltsaltsalt") -> str:
    """As Dovecot writes them into a passwd-file."""
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"{{SCRAM-SHA-256}}{iterations},{encode(salt)},{encode(stored)},{encode(server)}"


class Scram:
    """One exchange. binding: its type and octets, for -PLUS; flag: what to say instead."""

    def __init__(self, login: str, secret: str, *, identity: str = "", flag: str = "",
                 binding: tuple[str, bytes] | None = None):
        self.login, self.secret = login, secret
        name, self.binding = binding or ("", b"")
        self.header = f"{flag or (f'p={name}' if name else 'n')},{identity and 'a=' + identity},"
        self.mechanism = "SCRAM-SHA-256-PLUS" if binding else "SCRAM-SHA-256"
        self.nonce = encode(secrets.token_bytes(18))

    def first(self) -> bytes:
        name = self.login.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={self.nonce}"
        return (self.header + self.bare).encode()

    def final(self, server_first: bytes) -> bytes:
        self.server_first = server_first.decode()
        match = re.fullmatch(r"r=([^,]+),s=([^,]+),i=(\d+)", self.server_first)
        assert match, server_first
        nonce, self.salt, self.iterations = match[1], decode(match[2]), int(match[3])
        assert nonce.startswith(self.nonce) and len(nonce) > len(self.nonce)
        bare = f"c={encode(self.header.encode() + self.binding)},r={nonce}"
        message = f"{self.bare},{self.server_first},{bare}".encode()
        salted = hashlib.pbkdf2_hmac("sha256", self.secret.encode(), self.salt, self.iterations)
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{bare},p={encode(proof)}".encode()

    def check(self, server_final: bytes) -> None:
        """Whether the server knows the password too."""
        assert server_final == f"v={encode(self.expected)}".encode()

    def run(self, client: Pop3, initial: bool = True) -> str:
        """The whole exchange; the last answer."""
        if initial:
            answer = start(client, self.mechanism, self.first())
        else:
            assert challenge(start(client, self.mechanism)) == b""
            answer = client.command(encode(self.first()))
        if answer.startswith("-ERR"):
            return answer
        answer = client.command(encode(self.final(challenge(answer))))
        if answer.startswith("-ERR"):
            return answer
        self.check(challenge(answer))
        return client.command("")


class Gsasl:
    """libgsasl's client side, for one exchange."""

    PROPERTIES = {"authid": 1, "authzid": 2, "password": 3, "tls-unique": 18, "tls-exporter": 25}
    OK, NEEDS_MORE = 0, 1

    def __init__(self, mechanism: str, **properties: str):
        self.library = ctypes.CDLL("libgsasl.so.18")
        self.mechanism = mechanism
        context, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        assert self.library.gsasl_init(ctypes.byref(context)) == 0
        assert self.library.gsasl_client_start(
            context, mechanism.encode(), ctypes.byref(self.session)) == 0
        for name, value in properties.items():
            self.library.gsasl_property_set(
                self.session, self.PROPERTIES[name.replace("_", "-")], value.encode())

    def step(self, message: str) -> tuple[int, str]:
        """Base64 in, base64 out."""
        output = ctypes.c_char_p()
        status = self.library.gsasl_step64(
            self.session, message.encode(), ctypes.byref(output))
        return status, (output.value or b"").decode()

    def run(self, client: Pop3) -> str:
        answer = client.command(f"AUTH {self.mechanism}")
        while answer.startswith("+ "):
            status, response = self.step(answer[2:])
            assert status in (self.OK, self.NEEDS_MORE), status
            answer = client.command(response)
        return answer


class OpenSsl(Pop3):
    """A connection under TLS 1.3 by openssl(1), which tells its tls-exporter binding."""

    def __init__(self, port: int, authority):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-nocommands",
             "-CAfile", authority, "-verify_return_error", "-servername", "localhost",
             "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
        self.buffer = b""
        while not (line := self.process.stdout.readline()).startswith(b"    Keying material: "):
            assert line, "openssl ended"
        self.exporter = bytes.fromhex(line.split()[-1].decode())
        while not self.process.stdout.readline().startswith(b"---"):
            pass
        while not (line := self.process.stdout.readline()).startswith((b"+OK", b"-ERR")):
            assert line, "openssl ended"
        self.greeting = line.decode()

    def send(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def line(self) -> bytes:
        """Session tickets are reported between the lines."""
        while not (line := self.process.stdout.readline()).startswith((b"+", b"-ERR")):
            assert line, "openssl ended"
        return line.rstrip(b"\r\n")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait(TIMEOUT)
