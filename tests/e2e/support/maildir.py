"""A Maildir as a delivery agent and other mail clients treat it."""

import os
from pathlib import Path


class Maildir:
    def __init__(self, path: Path):
        self.path = path
        self.count = 0
        for part in ("cur", "new", "tmp"):
            (path / part).mkdir(parents=True, exist_ok=True)

    def deliver(self, message: bytes, *, into: str = "new", flags: str = "",
                name: str = "") -> Path:
        """Adds a message; each one is a second younger than the one before."""
        self.count += 1
        time = 1_700_000_000 + self.count
        base = name or f"{time}.M{self.count}P1.test"
        target = self.path / into / (base + (f":2,{flags}" if into == "cur" else ""))
        draft = self.path / "tmp" / base
        draft.write_bytes(message)
        os.utime(draft, (time, time))
        draft.rename(target)
        return target

    def deliver_all(self, messages) -> None:
        for message in messages:
            self.deliver(message)

    def files(self) -> list[Path]:
        """All messages, oldest first."""
        return sorted(
            (f for part in ("cur", "new") for f in (self.path / part).iterdir()),
            key=lambda f: f.name,
        )

    def messages(self) -> list[bytes]:
        return [f.read_bytes() for f in self.files()]

    def flags(self) -> list[str]:
        return [f.name.partition(":2,")[2] for f in self.files()]
