"""Runs tests/transcripts/*.txt; the form is told in tests/transcripts/README.md."""

import pytest

from support.gateway import free_port
from support.transcript import FOLDER, Player, Transcript

FILES = sorted(FOLDER.glob("*.txt"))
PLAYS = [
    pytest.param(file, backend, id=file.stem if backend == "maildir" else f"{file.stem}-{backend}")
    for file in FILES for backend in Transcript(file).backends
]  # fmt: skip


def address() -> list[str]:
    return [f"127.0.0.1:{free_port()}"]


@pytest.mark.parametrize("file, backend", PLAYS)
def test_transcript(file, backend, request, gateway_config):
    transcript = Transcript(file)
    listeners = gateway_config()["listeners"] + [
        {"name": "strict", "listen": address(), "tls": "starttls"},
        {"name": "clear", "listen": address(), "tls": "none", "plaintext_login": True},
        {"name": "proxied", "listen": address(), "tls": "starttls", "plaintext_login": True,
         "proxy_protocol_from": ["127.0.0.1"]},
    ]  # fmt: skip
    start = request.getfixturevalue("local" if backend == "maildir" else backend)
    served = start(transcript.messages, **{"listeners": listeners, **transcript.settings})
    if transcript.maildirsize:
        (served.maildir.path / "maildirsize").write_bytes(transcript.maildirsize)
    player = Player(served, transcript)
    for number, kind, value in transcript.steps:
        try:
            player.play(kind, value)
        except Exception as problem:
            raise AssertionError(
                f"{file.name}:{number}: {kind} {value}: {type(problem).__name__} {problem}\n"
                f"{served.gateway.text()}") from problem
    player.close()
