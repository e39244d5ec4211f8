"""systemd's side: a notify socket that listens, and sockets that are handed over."""

import os
import socket
from pathlib import Path

from .pop3 import TIMEOUT


class Manager:
    """Hears what a service tells its manager (sd_notify)."""

    def __init__(self, directory: Path):
        self.path = directory / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.path.chmod(0o666)
        self.socket.settimeout(TIMEOUT)
        self.heard: list[dict[str, str]] = []

    def environment(self, **more: str) -> dict:
        """What it starts a service with."""
        return {**os.environ, "NOTIFY_SOCKET": str(self.path), **more}

    def hear(self, name: str) -> dict[str, str]:
        """The next word that assigns name; those before it are skipped."""
        while True:
            word = self.socket.recv(4096).decode()
            fields = dict(line.split("=", 1) for line in word.strip().split("\n"))
            self.heard.append(fields)
            if name in fields:
                return fields

    def close(self) -> None:
        self.socket.close()


# What reaches a process that systemd-socket-activate starts.
PASSED_ON = ["ASAN_OPTIONS", "UBSAN_OPTIONS"]


def socket_activation(**listeners: str) -> list[str]:
    """A command that holds sockets, NAME=ADDRESS:PORT, and starts what follows at a connection."""
    command = ["systemd-socket-activate", "--fdname=" + ":".join(listeners)]
    command += [f"--listen={address}" for address in listeners.values()]
    return command + [f"--setenv={name}" for name in PASSED_ON]
