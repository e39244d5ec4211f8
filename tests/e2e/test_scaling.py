"""The figures of docs/scaling.md are those that tests/bench/fleet.py calculates."""

import json
import re
import subprocess
import sys

import pytest
from support.gateway import TOP

PAGE = (TOP / "docs/scaling.md").read_text()
BENCH = TOP / "tests/bench"
COSTS = json.loads((BENCH / "costs.json").read_text())

sys.path.append(str(BENCH))
import fleet  # noqa: E402


def quoted(name: str) -> str:
    found = re.search(rf"<!-- {re.escape(name)} -->\n+(.*?)\n+<!-- end -->", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def test_the_page_quotes_what_the_simulation_prints():
    done = subprocess.run([sys.executable, BENCH / "fleet.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    sizes, scenarios = done.stdout.strip().split("\n\n")
    assert quoted("fleet.py sizes") == sizes
    assert quoted("fleet.py scenarios") == scenarios
    assert json.loads(quoted("costs.json").strip("`").removeprefix("json")) == COSTS


def test_the_page_tells_the_assumptions():
    clients = fleet.CLIENTS
    assert (clients.active, clients.messages_per_hour, clients.message_kib) == (0.6, 3, 75)
    assert clients.intervals == {300: 0.2, 900: 0.3, 3600: 0.5}
    assert clients.kept_messages == 1000
    assert "60 % of the mailboxes are polled, a fifth of them every 5 minutes, three tenths every" in PAGE


def test_costs_come_from_the_benchmark(directory):
    for script in ("costs.py", "costs.json"):
        (directory / script).write_text((BENCH / script).read_text())
    result = {"cpu_ms": 2.0, "behind_cpu_ms": 1.0}
    rows = [{"case": case, "server": server, "result": result | more} for server, factor in (
        ("popgate, IMAP", 1), ("another", 100)) for case, more in {
            "login": {}, "poll-tls": {"cpu_ms": 3 * factor}, "retr": {"cpu_ms": 12},
            "retr-big-tls": {"cpu_ms": 300, "behind_cpu_ms": 211}, "hold": {"each_kib": 40}}.items()]
    (directory / "rows.json").write_text(json.dumps(rows))
    subprocess.run([sys.executable, directory / "costs.py", directory / "rows.json"], check=True)
    told = json.loads((directory / "costs.json").read_text())
    assert told["poll_ms"] == 3 and told["session_kib"] == 40
    assert told["message_ms"] == pytest.approx(0.01)
    assert told["mebibyte_ms"] == pytest.approx(297 / 419.6, rel=0.01)
    assert told["registry_read_ms"] == COSTS["registry_read_ms"], "not measured there"


def test_no_poll_is_lost_or_made_up():
    """What failed comes again, all of it, and each once."""
    day = fleet.Day(fleet.Need(1_000_000, COSTS))
    day.come_again(100, 6000.0)
    assert sum(day.again) == pytest.approx(6000)
    assert day.again[100] == 0 and day.again[101] > day.again[101 + 3599] > 0 == day.again[101 + 3600]


def test_what_is_worse_costs_more():
    need = fleet.Need(10_000_000, COSTS)
    one, two = (fleet.gateways_die(need, n) for n in (1, 2))
    assert 0 < one.failed < two.failed and one.busiest < two.busiest < 1
    short, long = (fleet.registry_fails(need, s) for s in (30, 300))
    assert 0 < short.failed < long.failed and short.calm < long.calm
    assert fleet.rolling(need, 60).failed == 0
    assert fleet.Need(20_000_000, COSTS).gateways > need.gateways
