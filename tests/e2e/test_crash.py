"""Workers that die in the middle of a write to the registry.

The build has fault points (POPGATE_FAULT_POINTS); the environment says at which one a worker kills
itself. Whatever a client was shown or promised before, holds afterwards.
"""

import os
import re

import pytest

from support import corpus
from support.pop3 import Closed, Pop3

POINTS_MAX = 60


class Witness:
    """What clients were told: which id each message has, and what is deleted."""

    def __init__(self):
        self.id_of: dict[str, str] = {}
        self.message_of: dict[str, str] = {}
        self.deleted: set[str] = set()

    def look(self, client: Pop3) -> dict[int, str]:
        """Notes and compares what a session shows; its messages by number."""
        ids = client.ids()
        shown = {}
        for number, unique in ids.items():
            subject = re.search(rb"^Subject: (.*?)\r$", client.top(number, 0), re.M)[1].decode()
            assert self.id_of.setdefault(subject, unique) == unique, "an id has changed"
            assert self.message_of.setdefault(unique, subject) == subject, "an id came back"
            assert subject not in self.deleted, "a deleted message is back"
            shown[number] = subject
        return shown

    def session(self, served, *, delete: bool) -> None:
        with served.session() as client:
            shown = self.look(client)
            if delete:
                client.ok("DELE 1")
            client.ok("QUIT")
            if delete:
                self.deleted.add(shown[1])


def restart(served, fault: str) -> None:
    gateway = served.gateway
    gateway.kill()
    environment = {key: value for key, value in os.environ.items() if key != "POPGATE_FAULT"}
    gateway.options["env"] = {**environment, **({"POPGATE_FAULT": fault} if fault else {})}
    gateway.start()


@pytest.mark.parametrize("how", ["expunge", "hide"])
def test_a_crash_changes_no_id_and_loses_no_deletion(either, how):
    served = either([corpus.message(f"number {i}") for i in range(3)],
                    tenant={"maildrop": {"on_delete": how}})
    witness = Witness()
    witness.session(served, delete=False)
    died = 0
    for point in range(1, POINTS_MAX):
        served.deliver(corpus.message(f"another {point}"), corpus.message(f"more {point}"))
        restart(served, f"*:{point}")
        try:
            witness.session(served, delete=True)
        except Closed:
            died += 1
        else:
            break
        restart(served, "")
        witness.session(served, delete=point % 2 == 0)
    else:
        pytest.fail("it dies without end")
    # Two writes: at login begin, two messages, mark, counter, before and after the commit; at QUIT
    # begin, the message, counter, and the commit.
    assert died >= 10, "built without POPGATE_FAULT_POINTS?"
