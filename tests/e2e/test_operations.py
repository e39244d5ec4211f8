"""docs/operations.md names every log line, metric and alert, and no other; the alerts work."""

import contextlib
import re
import shutil
import sqlite3
import subprocess
import urllib.request

import pytest
import yaml
from support.events import logged
from support.gateway import TOP, free_port, run

PAGE = (TOP / "docs/operations.md").read_text()
ALERTS = TOP / "deploy/prometheus/alerts.yaml"
ALERTS_TEST = TOP / "tests/deploy/alerts_test.yaml"


def rows(heading: str) -> list[list[str]]:
    """The cells of all tables below a heading, down to the next of its rank; no headers."""
    rank = heading.split(" ")[0]
    text = PAGE.partition(f"\n{heading}\n")[2]
    text = re.split(rf"^#{{1,{len(rank)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"^\| (`.*)\|$", text, re.MULTILINE)
    assert found, heading
    return [[cell.strip() for cell in row.split("|")] for row in found]


def bare(cell: str) -> str:
    return cell.strip("`")


# Log lines


def test_every_event_has_a_row_and_every_row_an_event():
    told = [bare(row[0]) for row in rows("## Log lines")]
    assert len(told) == len(set(told))
    assert sorted(told) == sorted(logged())


def test_rows_tell_levels_and_fields():
    events = logged()
    for name, level, fields, *_ in rows("## Log lines"):
        event = events[bare(name)]
        assert set(level.split(", ")) == event.levels, name
        assert set(filter(None, fields.split(", "))) == event.fields, name


def test_reasons_are_those_of_the_source():
    text = PAGE.partition("`reason` is ")[2].partition(".\n")[0]
    told = set(re.findall(r"`([^`]+)`", text.replace("\n", " ")))
    source = "".join((TOP / "proxy/pop3" / f"{name}.c").read_text() for name in (
        "session", "login", "transaction", "update", "live", "authorization", "input"))
    for reason in told:
        assert f'"{reason}"' in source, reason
    given = re.findall(r'(?:session_close\(\s*s,|s->reason =|return|why =[^;]*?) "([a-z ,]+)"', source)
    assert {reason for reason in given if "open" not in reason} - told <= {"%s"}, "not told of"


# Metrics


@pytest.fixture
def exported(imap) -> dict[str, str]:
    """The type of every metric of a gateway."""
    port = free_port()
    imap(admin={"listen": f"127.0.0.1:{port}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    text = opener.open(f"http://127.0.0.1:{port}/metrics").read().decode()
    return dict(re.findall(r"^# TYPE (popgate_\w+) (\w+)$", text, re.MULTILINE))


def test_every_metric_has_a_row_and_every_row_a_metric(exported):
    told = {bare(row[0]): row[1] for row in rows("## Metrics")}
    assert told == exported


def test_metrics_that_are_named_elsewhere_exist():
    known = {bare(row[0]) for row in rows("## Metrics")}
    for name in re.findall(r"\bpopgate_\w+", PAGE + ALERTS.read_text() + ALERTS_TEST.read_text()):
        base = re.sub(r"_(total|bucket|count|sum)$", "", name)
        assert base in known or name in known or name == "popgate_reference", name


# Alerts


@pytest.fixture(scope="module")
def alerts() -> list[dict]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alert_has_its_runbook(alerts):
    text = PAGE.partition("\n## Alerts\n")[2]
    told = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert told == [rule["alert"] for rule in alerts]
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"\b[Dd]o:", section), section.split()[0]


def test_alerts_are_valid(alerts):
    done = subprocess.run(["promtool", "check", "rules", ALERTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts)} rules found" in done.stdout


def test_compose_loads_the_alerts(directory):
    """Its Prometheus finds them, and scrapes the job that they speak of."""
    mounts = yaml.safe_load((TOP / "deploy/compose.yaml").read_text())["services"]["prometheus"]["volumes"]
    for mount in mounts:
        source, _, target = mount.removesuffix(":ro").partition(":")
        if target.startswith("/etc/prometheus/"):
            shutil.copy(TOP / "deploy" / source, directory / target.rpartition("/")[2])
    done = subprocess.run(["promtool", "check", "config", directory / "prometheus.yml"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "rules found" in done.stdout, done.stdout + done.stderr
    jobs = yaml.safe_load((directory / "prometheus.yml").read_text())["scrape_configs"]
    assert [job["job_name"] for job in jobs] == ["popgate"]


def test_alerts_come_when_they_should_and_not_before(alerts, directory):
    file = directory / "test.yaml"
    file.write_text(ALERTS_TEST.read_text().replace("ALERTS]", f"{ALERTS}]")
                    .replace("EVERY", str(len(alerts))))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# Backups


@pytest.mark.parametrize("way", ["backup", "vacuum"])
def test_a_backup_taken_while_it_runs_can_be_restored(local, directory, way):
    served = local([b"Subject: a\r\n\r\na\r\n", b"Subject: b\r\n\r\nb\r\n"])
    before = served.session().ids()
    copy = directory / "copy.db"
    with contextlib.closing(sqlite3.connect(directory / "state.db")) as live:
        if way == "vacuum":
            live.execute("VACUUM INTO ?", [str(copy)])
        else:
            with contextlib.closing(sqlite3.connect(copy)) as target:
                live.backup(target)
    served.deliver(b"Subject: c\r\n\r\nc\r\n")
    later = served.session().ids()
    assert len(later) == 3
    served.gateway.stop()
    shutil.move(copy, directory / "state.db")
    for rest in ("state.db-wal", "state.db-shm"):
        (directory / rest).unlink(missing_ok=True)
    served.gateway.start()
    ids = served.session().ids()
    assert {n: ids[n] for n in before} == before
    assert int(ids[3]) > int(later[3]), "no id is given twice"
    done = run("state", "check", "-c", served.gateway.file)
    assert done.returncode == 0, done.stdout + done.stderr


# Links of the documents


@pytest.mark.parametrize("page", sorted((TOP / "docs").glob("*.md")) + [TOP / "README.md"],
                         ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, target


@pytest.mark.parametrize("page", ["security.md", "operations.md", "scaling.md"])
def test_files_that_are_named_exist(page):
    text = (TOP / "docs" / page).read_text()
    for name in re.findall(r"`((?:proxy|backends|config|tests|deploy|docs)/[\w./-]+)", text):
        assert (TOP / name).exists(), name
