"""Whole downloads of a Maildir, whose small messages are read ahead, while others change it."""

import multiprocessing
import random
import time

import pytest

from support import corpus
from support.pop3 import Pop3

COUNT = 400
AGE = 3  # seconds, at most, that a message is shown after it was removed
SLACK = 2  # of a machine that has other work

# In place of COUNT messages of one kind: the odd ones, long ones among small ones.
MESSAGES = (corpus.thousand()[: COUNT - 20] + [corpus.large(n * 9_000, n) for n in range(1, 21)])
random.Random(2026).shuffle(MESSAGES)


def meddle(path, seed: int, stop, removed) -> None:
    """Sets flags, moves from new/ to cur/, and removes some, as fast as it is let."""
    rng = random.Random(seed)
    while not stop.is_set():
        files = [f for part in ("cur", "new") for f in (path / part).iterdir()]
        for file in rng.sample(files, min(40, len(files))):
            base = file.name.partition(":2,")[0]
            if rng.random() < 0.03 and len(files) > COUNT * 3 // 4:
                removed[base] = time.monotonic()
                file.unlink()
                # By then it was removed.
                removed[base] = time.monotonic()
            else:
                file.rename(path / "cur" / f"{base}:2,{rng.choice(['', 'S', 'RS', 'FS', 'T'])}")
            time.sleep(0.001)


class Meddler:
    """Another process at the Maildir, for the length of a block."""

    def __init__(self, maildir, seed: int):
        self.manager = multiprocessing.Manager()
        self.stop, self.gone = self.manager.Event(), self.manager.dict()
        self.process = multiprocessing.Process(
            target=meddle, args=(maildir.path, seed, self.stop, self.gone))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.process.join()
        self.last = self.removed()
        self.manager.shutdown()
        assert self.process.exitcode == 0

    def removed(self) -> dict[str, float]:
        """Base names, and when they were gone at the latest."""
        return dict(self.gone)


def answer(client: Pop3) -> bytes | None:
    """The message that comes, or None for one that is no longer there."""
    reply = client.reply()
    if reply.startswith("+OK"):
        return client.unstuff(client.multiline_raw())
    assert reply.endswith("is no longer in the mailbox"), reply
    return None


class Download:
    """Which message a number is, and what may come for it."""

    def __init__(self, names: list[str], meddler: Meddler):
        self.names, self.meddler, self.missing = names, meddler, 0

    def check(self, number: int, got: bytes | None, expected: bytes, began: float) -> None:
        gone_at = self.meddler.removed().get(self.names[number - 1])
        if got is None:
            assert gone_at is not None, f"message {number} is there"
            self.missing += 1
        else:
            assert got == expected, f"message {number}"
            assert gone_at is None or began - gone_at < AGE + SLACK, \
                f"message {number} was gone for {began - gone_at} s"


def one_by_one(client, download, messages, numbers) -> None:
    for number in numbers:
        began = time.monotonic()
        client.send(b"RETR %d\r\n" % number)
        download.check(number, answer(client), corpus.wire(messages[number - 1]), began)


def headers_one_by_one(client, download, messages, numbers) -> None:
    for number in numbers:
        began = time.monotonic()
        client.send(b"TOP %d 3\r\n" % number)
        expected = corpus.top(corpus.wire(messages[number - 1]), 3)
        download.check(number, answer(client), expected, began)


def in_one_go(client, download, messages, numbers) -> None:
    """The client does not wait for one before it asks for the next."""
    for part in (numbers[i:i + 50] for i in range(0, len(numbers), 50)):
        began = time.monotonic()
        client.send(b"".join(b"RETR %d\r\n" % number for number in part))
        for number in part:
            download.check(number, answer(client), corpus.wire(messages[number - 1]), began)


def here_and_there(client, download, messages, numbers) -> None:
    """In order, but now and then elsewhere, or back."""
    rng = random.Random(11)
    order = []
    while numbers:
        n = rng.randint(1, 30)
        order += numbers[:n] if rng.random() < 0.7 else reversed(numbers[:n])
        numbers = numbers[n:]
    one_by_one(client, download, messages, order)


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_a_download_while_others_change_the_maildir(local, order):
    served = local(MESSAGES, tenant={"maildrop": {"order": order}})
    names = [f.name for f in served.maildir.files()]
    messages = MESSAGES
    if order == "newest_first":
        names, messages = names[::-1], MESSAGES[::-1]
    numbers = list(range(1, COUNT + 1))
    with served.session() as client:
        with Meddler(served.maildir, 5) as meddler:
            download = Download(names, meddler)
            for ask in (one_by_one, headers_one_by_one, in_one_go, here_and_there):
                ask(client, download, messages, numbers)
            one_by_one(client, download, messages, numbers[::-1])
        assert download.missing, "nothing was removed in time"
        client.quit()  # which renames what was read, too
    left = {f.name.partition(":2,")[0] for f in served.maildir.files()}
    assert left == set(names) - set(meddler.last), "QUIT removed something"


def test_what_was_read_ahead_is_shown_for_seconds_at_most(local):
    served = local([corpus.message(f"number {n}") for n in range(1, 9)])
    files = served.maildir.files()
    with served.session() as client:
        for number in (1, 2):
            client.retr(number)
        files[2].unlink()
        files[3].unlink()
        assert client.retr(3) == corpus.wire(corpus.message("number 3"))
        time.sleep(AGE + 0.5)
        assert client.err("RETR 4").endswith("is no longer in the mailbox")
        assert client.retr(5) == corpus.wire(corpus.message("number 5"))
        client.quit()


def test_marked_messages_are_removed_whether_read_ahead_or_not(local):
    messages = [corpus.message(f"number {n}") for n in range(1, 41)]
    served = local(messages)
    with served.session() as client:
        for number, message in enumerate(messages, 1):
            assert client.retr(number) == corpus.wire(message)
            if number % 3:
                client.ok(f"DELE {number}")
        client.quit()
    assert served.maildir.messages() == messages[2::3]
