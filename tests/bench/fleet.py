"""What a fleet of gateways needs, and what happens when parts of it fail, calculated from measured costs.

    tests/bench/fleet.py [COSTS.json]       prints the tables that docs/scaling.md quotes

Nothing is random and nothing is measured here: costs.json says what was (costs.py writes it), CLIENTS
and FLEET below say what is assumed. Change them to yours.
"""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

COSTS = Path(__file__).with_name("costs.json")


@dataclass(frozen=True)
class Clients:
    """Those who poll, at the busiest hour of the day."""

    active = 0.6  # of all mailboxes
    intervals = {300: 0.2, 900: 0.3, 3600: 0.5}  # seconds between two polls: share of the active ones
    messages_per_hour = 3  # new ones of an active mailbox, each fetched once
    message_kib = 75
    kept_messages = 1000  # in a maildrop
    session_seconds = 10  # from connecting to QUIT, most of it the client's own
    gives_up = 60  # seconds without an answer

    def polls(self, mailboxes: int) -> float:
        """Per second."""
        return mailboxes * self.active * sum(share / s for s, share in self.intervals.items())

    def messages(self, mailboxes: int) -> float:
        """Per second."""
        return mailboxes * self.active * self.messages_per_hour / 3600


@dataclass(frozen=True)
class Fleet:
    zones = 3
    cores = 4  # of a gateway
    busy = 0.5  # of its cores, at the busiest hour with one zone gone
    notices = 10  # seconds until a load balancer sends nobody to a dead gateway any more


CLIENTS, FLEET = Clients(), Fleet()


@dataclass
class Need:
    """Of so many mailboxes at the busiest hour."""

    mailboxes: int
    costs: dict

    @property
    def polls(self) -> float:
        return CLIENTS.polls(self.mailboxes)

    @property
    def messages(self) -> float:
        return CLIENTS.messages(self.mailboxes)

    @property
    def mib(self) -> float:
        """Fetched per second."""
        return self.messages * CLIENTS.message_kib / 1024

    @property
    def cores(self) -> float:
        c = self.costs
        return (self.polls * c["poll_ms"] + self.messages * c["message_ms"]
                + self.mib * c["mebibyte_ms"]) / 1000  # fmt: skip

    @property
    def store_cores(self) -> float:
        c = self.costs
        return (self.polls * c["poll_behind_ms"] + self.mib * c["mebibyte_behind_ms"]) / 1000

    @property
    def gateways(self) -> int:
        """So that the fleet is not busier than it may be with a zone gone; the same in every zone."""
        one = self.cores / FLEET.busy / FLEET.cores
        if one <= 1:
            return 2  # what one machine could do, and a second that may fail
        return FLEET.zones * math.ceil(one / (FLEET.zones - 1))

    @property
    def sessions(self) -> float:
        return self.polls * CLIENTS.session_seconds

    @property
    def memory_gib(self) -> float:
        return self.sessions * self.costs["session_kib"] / 2**20

    @property
    def writes(self) -> float:
        """Of the registry per second: a poll that finds new mail writes once."""
        return min(self.polls, self.messages)

    @property
    def registry_cores(self) -> float:
        c = self.costs
        return (self.polls * c["registry_read_ms"] + self.writes * c["registry_write_ms"]) / 1000

    @property
    def registry_gib(self) -> float:
        c = self.costs
        return self.mailboxes * (c["registry_maildrop_octets"]
                                 + CLIENTS.kept_messages * c["registry_message_octets"]) / 2**30  # fmt: skip


def number(n: float) -> str:
    """Two digits that count, more where they are there anyway."""
    if n >= 100:
        digits = -int(math.floor(math.log10(n))) + 1
        return f"{round(n, digits):,.0f}"
    return f"{n:.0f}" if n >= 10 else f"{n:.1f}" if n >= 1 else f"{n:.2f}"


def table(header: list[str], rows: list[list[str]]) -> None:
    print(f"| {' | '.join(header)} |")
    print(f"|{' --- |' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def sizes(costs: dict) -> None:
    needs = [Need(n, costs) for n in (10_000, 100_000, 1_000_000, 10_000_000)]
    rows = [
        ("polls per second", lambda n: n.polls),
        ("messages per second", lambda n: n.messages),
        ("MiB per second", lambda n: n.mib),
        ("sessions at once", lambda n: n.sessions),
        ("gateways: cores at work", lambda n: n.cores),
        (f"gateways of {FLEET.cores} cores, a zone of {FLEET.zones} to spare", lambda n: n.gateways),
        ("gateways: GiB for sessions, in all", lambda n: n.memory_gib),
        ("IMAP servers: cores at work for it", lambda n: n.store_cores),
        ("registry: reads per second", lambda n: n.polls),
        ("registry: writes per second", lambda n: n.writes),
        ("registry: cores at work", lambda n: n.registry_cores),
        ("registry: GiB on disk", lambda n: n.registry_gib),
    ]
    table(["mailboxes", *(f"{n.mailboxes:,}" for n in needs)],
          [[text, *(str(f(n)) if isinstance(f(n), int) else number(f(n)) for n in needs)]
           for text, f in rows])  # fmt: skip


class Day:
    """The fleet second by second: polls come, wait for a core, are served, fail and come again."""

    SECONDS = 3 * 3600
    EVENT = 1800  # when it happens

    def __init__(self, need: Need):
        self.need = need
        self.rate = need.polls
        self.serves = FLEET.cores * self.rate / need.cores  # polls per second of one gateway
        self.again = [0.0] * (self.SECONDS + 2 * 3600)  # polls that come again then
        self.waiting = self.failed = self.longest = self.busiest = 0.0
        self.calm = 0  # the last second that was unlike those before the event

    def come_again(self, now: int, polls: float) -> None:
        """At the next poll of each: failed ones do not hurry."""
        polls_of = {s: share / s for s, share in CLIENTS.intervals.items()}
        for seconds, part in polls_of.items():
            each = polls * part / sum(polls_of.values()) / seconds
            for t in range(now + 1, now + 1 + seconds):
                self.again[t] += each

    def second(self, now: int, gateways: float, lost: float, extra: float = 0, rate: float = 1) -> None:
        """gateways serve; of what comes the part lost finds nobody; extra polls were cut off."""
        came = self.rate * rate + self.again[now]
        failing = came * lost + extra
        if failing:
            self.failed += failing
            self.come_again(now, failing)
        room = gateways * self.serves
        self.waiting += came * (1 - lost)
        served = min(self.waiting, room)
        self.waiting -= served
        wait = self.waiting / room if room else CLIENTS.gives_up
        if wait >= CLIENTS.gives_up:
            gone = self.waiting - room * CLIENTS.gives_up
            self.waiting -= gone
            self.failed += gone
            self.come_again(now, gone)
        self.longest = max(self.longest, min(wait, CLIENTS.gives_up))
        busy = served / room if room else 0
        self.busiest = max(self.busiest, busy)
        if failing or wait > 0.01 or came > 1.01 * self.rate:
            self.calm = now

    def row(self, name: str) -> list[str]:
        calm = max(0, self.calm - self.EVENT)
        return [name, number(self.failed) if self.failed else "none",
                f"{100 * self.failed / (self.rate * 3600):.2f} %", f"{100 * self.busiest:.0f} %",
                f"{self.longest:.0f} s" if self.longest >= 0.5 else "none",
                f"{calm / 60:.0f} min"]  # fmt: skip


def gateways_die(need: Need, dead: int) -> Day:
    day = Day(need)
    cut = need.sessions * dead / need.gateways
    for now in range(day.SECONDS):
        gone = day.EVENT <= now
        noticed = now >= day.EVENT + FLEET.notices
        day.second(now, need.gateways - dead * gone, dead / need.gateways if gone and not noticed else 0,
                   cut if now == day.EVENT else 0)
    return day


def registry_fails(need: Need, seconds: int) -> Day:
    """Logins are refused at once; sessions that are open stay."""
    day = Day(need)
    for now in range(day.SECONDS):
        day.second(now, need.gateways, float(day.EVENT <= now < day.EVENT + seconds))
    return day


def rolling(need: Need, seconds: int) -> Day:
    """One gateway after the other is away, sessions finish before; so long each."""
    day = Day(need)
    for now in range(day.SECONDS):
        away = day.EVENT <= now < day.EVENT + seconds * need.gateways
        day.second(now, need.gateways - away, 0)
    return day


def everybody_returns(need: Need, seconds: int) -> Day:
    """The network of all clients is away; then whose poll fell due meanwhile come within a minute."""
    day = Day(need)
    end = day.EVENT + seconds
    shares = {s: share / s for s, share in CLIENTS.intervals.items()}
    # Each has one poll due, however many it missed.
    due = sum(day.rate * part / sum(shares.values()) * min(s, seconds) for s, part in shares.items())
    for now in range(day.SECONDS):
        if now == end:
            for t in range(60):
                day.again[end + t] += due / 60
        day.second(now, need.gateways, 0, 0, 0.0 if day.EVENT <= now < end else 1)
    return day


def scenarios(need: Need) -> None:
    zone = max(1, need.gateways // FLEET.zones)
    rows = [
        gateways_die(need, 1).row("a gateway dies"),
        gateways_die(need, zone).row(f"a zone dies, {zone} gateways"),
        registry_fails(need, 30).row("the registry fails over, 30 s"),
        registry_fails(need, 600).row("the registry is away for 10 min"),
        rolling(need, 60).row("an upgrade, one gateway a minute"),
        everybody_returns(need, 900).row("no network for 15 min, then all at once"),
    ]
    table(["what happens", "polls that fail or are cut", "of an hour's", "busiest", "longest wait",
           "as before after"], rows)  # fmt: skip


def main() -> None:
    costs = json.loads(Path(sys.argv[1] if len(sys.argv) > 1 else COSTS).read_text())
    sizes(costs)
    print()
    scenarios(Need(10_000_000, costs))


if __name__ == "__main__":
    main()
