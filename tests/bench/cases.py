"""The cases of the benchmark: what is measured, on whom, and what the gateway aims at.

A case gives rows {server, what it measures: figure}; the table shows them against the aim and the
floor. Aims were set on one machine of 2 cores; elsewhere only ratios mean something, so where CPU is
measured a case also names what the first server, Dovecot on a Maildir, spent there.
"""

import json
import statistics
import subprocess
import sys
import time

from servers import BUILD, PASSWORD, Bench, Mail, Server

LOAD = BUILD / "bench/popgate_load"

MESSAGES, OCTETS = 1000, 2000
BIG_MESSAGES, BIG_OCTETS = 20, 22_000_000
HUGE = 100_000
HALF_TRIP = 25  # ms


def load(server: Server, work: str, users: str, count: int = 1, tls: bool = False, sessions: int = 200,
         connections: int = 8, **options) -> dict:
    command = [LOAD, "--json", "--work", work, "--tls", "implicit" if tls else "none",
               "--user", f"{users}%lu@acme.example", "--users", count, "--password", PASSWORD,
               "--port", server.tls_port if tls else server.port, "--pid", server.process.pid,
               "--sessions", sessions, "--connections", connections]
    for name, value in options.items():
        command += [f"--{name}"] if value is True else [f"--{name}", value]
    if server.behind:
        command += ["--behind", server.behind]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{server.name}: {work}: {done.stderr.strip()}")
    return json.loads(done.stdout)


class Case:
    """One line of the table for each server."""

    unit = "CPU ms"
    figure = "cpu_ms"
    peer = None  # the figure of the first server where the aim was set

    def __init__(self, name: str, text: str, aim: float | None, measure, **attributes):
        self.name, self.text, self.aim, self.measure = name, text, aim, measure
        self.__dict__.update(attributes)


class World:
    """The servers that most cases share, started when first asked for."""

    def __init__(self, bench: Bench):
        self.bench = bench
        self.dovecot, self.imap_port = bench.dovecot_maildir()
        self.behind = self.dovecot.process.pid
        self._made: dict = {}

    def once(self, name, make) -> Server:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    @property
    def imapc(self):
        return self.once("imapc", lambda: self.bench.dovecot_imapc(self.imap_port, self.behind))

    @property
    def nginx(self):
        return self.once("nginx", lambda: self.bench.nginx(self.dovecot.port, self.behind))

    @property
    def maildir(self):
        return self.once("maildir", self.bench.gateway_maildir)

    @property
    def imap(self):
        return self.once("imap", lambda: self.bench.gateway_imap(self.imap_port, self.behind))

    @property
    def fair(self):
        """Two gateways with a second tenant, whose server takes its time."""
        relay = self.once("slow", lambda: self.bench.relay(self.imap_port, SLOW))
        slow = {"name": "slow", "match": {"domains": ["slow.example"]},
                "imap": {"servers": ["127.0.0.1"], "port": relay, "tls": "none"}}
        name = "popgate, Maildir and another tenant"
        return [self.once(which, lambda: self.bench.gateway_maildir(name, more=[slow]))
                for which in ("fair", "fair too")]

    def floor(self, messages, octets):
        return self.once(f"floor{messages}", lambda: self.bench.floor(messages, octets))

    def all(self, messages=MESSAGES, octets=OCTETS):
        return [self.dovecot, self.imapc, self.nginx, self.floor(messages, octets),
                self.maildir, self.imap]


ROUNDS = 3


def simple(work: str, tls: bool = False, sessions: int = 150, **options):
    """The same load on every server by turns, after a few sessions that fill caches and registry; of
    what they spent the median."""

    def measure(world: World) -> list:
        servers = world.all()
        results = {server.name: [] for server in servers}
        for server in servers:
            load(server, work, "poll", 8, tls, 16, **options)
        for _ in range(ROUNDS):
            for server in servers:
                results[server.name].append(load(server, work, "poll", 8, tls, sessions, **options))
        return [(name, sorted(runs, key=lambda run: run["cpu_ms"])[ROUNDS // 2])
                for name, runs in results.items()]

    return measure


def huge(world: World) -> list:
    rows = []
    for server in (world.dovecot, world.imapc, world.floor(HUGE, OCTETS), world.maildir, world.imap):
        first = load(server, "poll", "huge", sessions=1, connections=1)
        if server.name.startswith("popgate"):  # each worker reads the registry once
            load(server, "poll", "huge", sessions=16, connections=4)
        again = load(server, "poll", "huge", sessions=8, connections=1)
        rows.append((server.name, {**again, "first_ms": first["p50_ms"]}))
    return rows


def big(tls: bool):
    def measure(world: World) -> list:
        rows = []
        for server in world.all(BIG_MESSAGES, BIG_OCTETS):
            load(server, "retr", "big", tls=tls, sessions=1, connections=1)
            rows.append((server.name, load(server, "retr", "big", tls=tls, sessions=2, connections=1)))
        return rows

    return measure


TENTH = 10  # of the work is enough for a peer that takes a round trip for each message


def far(work: str, user: str, messages: int = 0, warm: bool = True, **imap):
    """Gateways 50 ms away from the IMAP server; what the client waits for. Work that grows with the
    messages the slow peer does for a tenth of them."""

    def measure(world: World) -> list:
        port = world.once("relay", lambda: world.bench.relay(world.imap_port, HALF_TRIP))
        servers = [
            world.once("far imapc", lambda: world.bench.dovecot_imapc(port, world.behind)),
            world.once(f"far {imap}", lambda: world.bench.gateway_imap(port, world.behind, **imap)),
        ]
        rows = []
        for server in servers:
            slow = "imapc" in server.name
            scale = TENTH if slow and (messages or not warm) else 1
            mailbox = "few" if slow else user
            if warm:  # each worker keeps connections of its own
                load(server, "poll", mailbox, sessions=8 if "keep_warm" in imap else 1, connections=1)
            result = load(server, work, mailbox, sessions=1, connections=1)
            rows.append((server.name, {**result, "p50_ms": result["p50_ms"] * scale}))
        return rows

    return measure


FEW = 16
# Those of which each session has a process, of its own or behind it.
PROCESSES = ("Dovecot, Maildir", "Dovecot over imapc", "nginx, relaying")


def hold(many: int, fewer: int):
    """Clients that have logged in and say nothing. Fewer where each has a process."""

    def measure(world: World) -> list:
        rows = []
        for server in world.all():
            # What the first sessions leave behind for all later ones is no cost of each. A gateway
            # gives memory back when nothing was said for some seconds.
            silence = 8 if server.name.startswith("popgate") else 1
            connections = fewer if server.name in PROCESSES else many
            few = FEW if server.name.startswith("popgate") else 1  # some on each worker
            load(server, "hold", "poll", 8, True, connections=few, hold=1)
            idle = load(server, "hold", "poll", 8, True, connections=few, hold=silence)
            held = load(server, "hold", "poll", 8, True, connections=connections, ramp=64,
                        hold=silence + 1)
            each = (held["held_pss_kib"] * connections - idle["held_pss_kib"] * few) / (connections - few)
            rows.append((server.name, {**held, "each_kib": each}))
        return rows

    return measure


def hold_many(world: World) -> list:
    count = 10_000
    server = world.bench.gateway_imap(world.imap_port, world.behind, "popgate, IMAP, 10,000 held")
    command = [LOAD, "--json", "--work", "hold", "--tls", "implicit", "--user", "small%lu@acme.example",
               "--users", 50, "--password", PASSWORD, "--port", server.tls_port, "--pid",
               server.process.pid, "--connections", count, "--ramp", 64, "--hold", 8]
    holding = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    for line in holding.stderr:
        if "held" in line:
            break
    during = load(server, "login", "small", 50, True, sessions=50, connections=1)
    out = holding.communicate()[0]
    if holding.returncode:
        raise SystemExit("not all sessions could be held")
    held = json.loads(out)
    return [(server.name, {"total_mib": held["held_pss_kib"] * count / 1024,
                           "login_p50_ms": during["p50_ms"], "login_p99_ms": during["p99_ms"]})]


def stalled(many: int, fewer: int):
    """Clients that have asked for a large message and take no more of it. Fewer where each has a
    process, and the figure is the same for any number."""

    def measure(world: World) -> list:
        rows = []
        for server in (world.dovecot, world.nginx, world.maildir, world.imap):
            connections = fewer if server.name in PROCESSES else many
            idle = load(server, "hold", "poll", 8, True, connections=1, sessions=1, hold=1)
            held = load(server, "stall", "big", 1, True, connections=connections, ramp=50, hold=3)
            each = (held["held_pss_kib"] * connections - idle["held_pss_kib"]) / connections
            rows.append((server.name, {**held, "each_kib": each}))
        return rows

    return measure


SLOW = 15_000  # ms there, as many back: a server that answers in 30 s


def disturbed(work: str, user: str, connections: int = 1, **options):
    """The 99th percentile of some polls a second while another client is at work on the same gateway,
    against the same while it is at work on another one: what the gateway, not the machine, does."""

    def others(server: Server) -> float:
        return load(server, "poll", "poll", 8, sessions=1000, connections=4, pause=5)["p99_ms"]

    def beside(server: Server, disturbed: Server) -> float:
        command = ["nice", LOAD, "--json", "--work", work, "--user", user, "--password", PASSWORD,
                   "--port", disturbed.port, "--pid", disturbed.process.pid,
                   "--connections", connections, "--sessions", 100_000, "--seconds", 60]
        for name, value in options.items():
            command += [f"--{name}", value]
        at_work = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        result = others(server)
        at_work.terminate()
        at_work.wait()
        return result

    def measure(world: World) -> list:
        same, other = world.fair
        others(same)
        beside(same, same), beside(same, other)
        rounds = [(others(same), beside(same, same), beside(same, other)) for _ in range(ROUNDS)]
        alone, here, there = (statistics.median(column) for column in zip(*rounds))
        return [(same.name, {"ratio": here / there, "alone_ms": alone, "beside_ms": here,
                             "elsewhere_ms": there})]

    return measure


def growth(world: World) -> list:
    rows = []
    for user, messages in (("grow100-", 100), ("poll", 1000), ("grow10000-", 10_000), ("huge", HUGE)):
        # Each worker reads the registry once.
        load(world.imap, "poll", user, sessions=16, connections=4)
        result = load(world.imap, "login", user, sessions=20, connections=1)
        rows.append((f"popgate, IMAP, {messages:,} messages", result))
    return rows


def mail_of(names: set[str]) -> Mail:
    """What the chosen cases need; all of it takes a while to write."""
    mail = Mail()
    mail.add("poll", 8, MESSAGES, OCTETS)
    if names & {"retr-big", "retr-big-tls", "stalled", "fair-download"}:
        mail.add("big", 1, BIG_MESSAGES, BIG_OCTETS)
    if names & {"poll-100k", "growth"}:
        mail.add("huge", 1, HUGE, 400)
    if "growth" in names:
        mail.add("grow100-", 1, 100, OCTETS)
        mail.add("grow10000-", 1, 10_000, 400)
    if "fair-million" in names:
        mail.add("million", 1, 1_000_000, 400)
    if any(name.startswith("far-") for name in names):
        mail.add("far", 1, MESSAGES, OCTETS)
        mail.add("few", 1, MESSAGES // TENTH, OCTETS)
    if "hold-10k" in names:
        mail.add("small", 50, 20, OCTETS)
    return mail


# Memory is measured while nothing else has left its traces in it.
CASES = [
    Case("hold", "TLS sessions held after login: memory of each", 40, hold(200, 50), unit="KiB",
         figure="each_kib"),
    Case("login", "login, QUIT", 0.12, simple("login"), aim_imap=None, peer=3.6),
    Case("poll", "login, STAT, UIDL of 1,000 messages, QUIT", 0.25, simple("poll"), aim_imap=0.4,
         peer=5.4),
    Case("poll-tls", "the same over TLS", 0.85, simple("poll", tls=True), peer=7.05),
    Case("poll-tls-resumed", "the same by clients that resume their TLS session", None,
         simple("poll", tls=True, resume=True)),
    Case("poll-100k", "the same of 100,000 messages, unchanged", 20, huge, peer=1870),
    Case("growth", "login, QUIT as the mailbox grows", None, growth),
    Case("retr", "RETR of 1,000 messages of 2 KB", None, simple("retr", sessions=4)),
    Case("retr-big", "RETR of 20 messages of 22 MB", 550, big(tls=False), peer=2200),
    Case("retr-big-tls", "the same over TLS", 850, big(tls=True), peer=4900),
    Case("far-first", "server 50 ms away: first login, 1,000 messages", 600,
         far("poll", "far", warm=False), unit="ms", figure="p50_ms"),
    Case("far-poll", "server 50 ms away: poll, nothing new", 300, far("poll", "far"),
         unit="ms", figure="p50_ms"),
    Case("far-poll-warm", "the same with keep_warm", 60, far("poll", "far", keep_warm="60s"),
         unit="ms", figure="p50_ms"),
    Case("far-retr", "server 50 ms away: RETR of 1,000 messages of 2 KB", 2000,
         far("retr", "far", MESSAGES), unit="ms", figure="p50_ms"),
    Case("far-top", "server 50 ms away: TOP n 0 of the same", 1000, far("top", "far", MESSAGES),
         unit="ms", figure="p50_ms"),
    Case("stalled", "1,000 clients (100 of a peer's) that stall in a RETR of 22 MB, TLS: memory of each", None,
         stalled(1000, 100), unit="KiB", figure="each_kib"),
    Case("fair-download", "others' p99 of a poll while one client downloads without end, against: from another gateway", 1.5,
         disturbed("retr", "big1@acme.example"), unit="×", figure="ratio"),
    Case("fair-slow", "the same while a tenant's server answers in 30 s", 1.5,
         disturbed("login", "a@slow.example", 64), unit="×", figure="ratio"),
    Case("fair-million", "the same while a mailbox of 1,000,000 is listed", 1.5,
         disturbed("poll", "million1@acme.example"), unit="×", figure="ratio"),
    Case("hold-10k", "10,000 TLS sessions held: memory in all", 450, hold_many, unit="MiB",
         figure="total_mib"),
]


def run(names: list[str], directory) -> list[dict]:
    chosen = [case for case in CASES if case.name in names]
    bench = Bench(directory, mail_of({case.name for case in chosen}))
    rows = []
    began = time.monotonic()
    try:
        world = World(bench)
        print(f"mail: {time.monotonic() - began:.0f} s", file=sys.stderr)
        for case in chosen:
            began = time.monotonic()
            for server, result in case.measure(world):
                rows.append({"case": case.name, "text": case.text, "server": server,
                             "aim": getattr(case, "aim_imap", case.aim) if "IMAP" in server else case.aim,
                             "peer": case.peer,
                             "unit": case.unit, "figure": result[case.figure], "result": result})
            print(f"{case.name}: {case.text}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    finally:
        bench.close()
    return rows
