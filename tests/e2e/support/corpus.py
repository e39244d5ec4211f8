"""Messages that have broken POP3 servers, and what a client must get for them."""

import base64
import hashlib
import random
import re


def wire(message: bytes) -> bytes:
    """What RETR sends for a stored message, before dot-stuffing: CRLF line ends, terminated."""
    octets = re.sub(rb"(?<!\r)\n", b"\r\n", message)
    if octets and not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    return octets


def stuffed(octets: bytes) -> bytes:
    """octets with every leading dot doubled."""
    return re.sub(rb"(?m)^\.", b"..", octets)


def digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def top(octets: bytes, lines: int) -> bytes:
    """What TOP n lines sends of octets, before dot-stuffing: header, blank line, lines of body."""
    if octets.startswith(b"\r\n"):
        head, blank, body = b"", b"\r\n", octets[2:]
    else:
        head, blank, body = octets.partition(b"\r\n\r\n")
    return head + blank + b"".join(re.findall(rb"[^\n]*\n", body)[:lines])


def headers(subject: str, **more: str) -> bytes:
    fields = {
        "From": "Ann Sender <ann@sender.example>",
        "To": "joe@local.example",
        "Subject": subject,
        "Date": "Mon, 06 Jan 2025 10:00:00 +0000",
        "Message-ID": f"<{hashlib.sha1(subject.encode()).hexdigest()[:16]}@sender.example>",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()


def message(subject: str, body: bytes = b"Hello.\r\n", **more: str) -> bytes:
    return headers(subject, **more) + b"\r\n" + body


def mime(subject: str, attachment: bytes) -> bytes:
    encoded = base64.encodebytes(attachment).replace(b"\n", b"\r\n")
    return message(
        subject,
        b"--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
        b'--b1\r\nContent-Type: application/octet-stream; name="data.bin"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded + b"--b1--\r\n",
        MIME_Version="1.0",
        Content_Type='multipart/mixed; boundary="b1"',
    )


def large(octets: int, seed: int = 1) -> bytes:
    """A message of about this size, in lines of 76 octets that all differ."""
    block = random.Random(seed).randbytes(57 * 1024)
    lines = base64.encodebytes(block).replace(b"\n", b"\r\n")
    body = b"".join(
        b"%08d\r\n" % i + lines for i in range(max(1, octets // (len(lines) + 10)))
    )
    return message(f"large {octets}", body)


# Every kind that Maildir files may hold. Keys name the kind; values are the octets of the file.
ODD = {
    "plain": message("plain"),
    "dots": message("dots", b".\r\n..\r\n...\r\n.leading\r\nmid.dot\r\n.\r\n"),
    "first line a dot": b".first: dot\r\n" + message("first line a dot", b".\r\n"),
    "bare LF": message("bare LF", b"one\ntwo\n").replace(b"\r\n", b"\n"),
    "mixed line ends": message("mixed line ends", b"one\ntwo\r\nthree\n\r\nfour\n"),
    "forged end": message("forged end", b"before\n.\nQUIT\n.\n\nafter\n"),
    "bare CR": message("bare CR", b"one\rtwo\r\rthree\r\n"),
    "CR at a line's end": message("CR at a line's end", b"one\r\r\ntwo\r\r\n"),
    "no final newline": message("no final newline", b"no end"),
    "no final newline after a dot": message("no final newline after a dot", b"text\r\n."),
    "NUL": message("NUL", b"a\x00b\r\n\x00\r\n"),
    "8-bit": message("8-bit", bytes(range(128, 256)) + b"\r\n"),
    "UTF-8": message("Grüße – 你好", "Grüße, 你好 🙂\r\n".encode()),
    "empty body": message("empty body", b""),
    "headers only": headers("headers only"),
    "headers only, unterminated": headers("headers only, unterminated").rstrip(b"\r\n"),
    "no headers": b"\r\nbody alone\r\n",
    "one octet": b"x",
    "long line": message("long line", b"y" * 70_000 + b"\r\n"),
    "a line of 1 MB": message("a line of 1 MB", b"z" * 1_000_000 + b"\r\n"),
    "a long line of dots": message("a long line of dots", b"." * 20_000 + b"\r\n"),
    "folded header": message("folded header", X_Long="word " * 50 + "\r\n more"),
    "blank lines": message("blank lines", b"\r\n\r\n\r\n\r\n"),
    "attachment": mime("attachment", bytes(range(256)) * 64),
}


def thousand() -> list[bytes]:
    """1,000 small messages, each different, the odd ones among them."""
    messages = list(ODD.values())
    rng = random.Random(1000)
    while len(messages) < 1000:
        n = len(messages)
        ends = rng.choice([b"\r\n", b"\n"])
        lines = [
            rng.choice([b"", b".", b"..", b"word ", b"\xe4\xf6", b"From here"])
            + b"%d " % n * rng.randrange(9)
            for _ in range(rng.randrange(30))
        ]
        messages.append(message(f"message {n}", b"").replace(b"\r\n", ends) + ends.join(lines))
    return messages
