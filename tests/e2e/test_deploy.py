"""What deploy/ ships fits the program, and itself: units, compose, dashboard."""

import ipaddress
import json
import re
import shutil
import subprocess
import urllib.request

import pytest
import yaml
from support.gateway import TOP, free_port, run
from support.units import seconds

DEPLOY = TOP / "deploy"
SYSTEMD = DEPLOY / "systemd"
COMPOSE = DEPLOY / "compose"

# systemd


@pytest.fixture
def system(directory):
    """A root file system with the units, and the programs that they name."""
    units = directory / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for unit in SYSTEMD.iterdir():
        if unit.suffix in (".service", ".socket"):
            shutil.copy(unit, units)
    for program in ("usr/bin/popgate", "usr/bin/nsenter", "bin/sh"):
        file = directory / program
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o755)
    for unit in ("network-online.target", "sysinit.target", "basic.target", "sockets.target",
                 "shutdown.target", "multi-user.target", "nss-lookup.target"):  # fmt: skip
        shutil.copy(f"/lib/systemd/system/{unit}", units)
    return directory


def test_units_are_valid(system):
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", f"--root={system}",
         "popgate.service", "popgate-pop3.socket", "popgate-pop3s.socket"],
        capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_is_locked_up():
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager",
         SYSTEMD / "popgate.service"], capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_socket_units_are_named_after_the_standard_listeners():
    """Without a listeners block there are pop3 and pop3s."""
    units = {path.name: path.read_text() for path in SYSTEMD.glob("*.socket")}
    for listener, port in {"pop3": 110, "pop3s": 995}.items():
        unit = units.pop(f"popgate-{listener}.socket")
        assert f"\nFileDescriptorName={listener}\n" in unit and f"\nListenStream={port}\n" in unit
    assert not units


# The Debian package


def test_the_configuration_of_the_package_is_one(directory, certificate):
    text = (DEPLOY / "package/popgate.yaml").read_text()
    tenants = directory / "tenants"
    tenants.mkdir()
    # The tenant that its comment shows.
    example = re.findall(r"^#   (.*)$", text, re.MULTILINE)
    (tenants / "everyone.yaml").write_text("\n".join(example))
    for there, here in {
        "/etc/popgate/tls/cert.pem": certificate.as_config()["certificate"],
        "/etc/popgate/tls/key.pem": certificate.as_config()["key"],
        "/etc/popgate/tenants": str(tenants),
    }.items():
        text = text.replace(there, here)
    (directory / "popgate.yaml").write_text(text)
    done = run("check", "-c", directory / "popgate.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "name: everyone" in done.stdout


# Compose


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_compose_names_files_that_are_there(compose):
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            known = source in compose["volumes"] or (DEPLOY / source).exists()
            assert known, f"{source} is neither a volume nor a file"
        assert set(service.get("secrets", [])) <= set(compose["secrets"])


def test_compose_makes_its_secrets(compose):
    script = (COMPOSE / "prepare.sh").read_text()
    for name, secret in compose["secrets"].items():
        assert secret["file"] == f"./compose/secrets/{name}"
        assert re.search(rf"\bmade {name} ", script), f"prepare.sh makes no {name}"


def test_compose_gateways_believe_the_proxy_alone(compose):
    config = yaml.safe_load((COMPOSE / "popgate.yaml").read_text())
    inside = compose["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    for listener in config["listeners"]:
        assert listener["proxy_protocol_from"] == [str(ipaddress.ip_network(inside))]


def test_compose_waits_for_sessions(compose):
    config = yaml.safe_load((COMPOSE / "popgate.yaml").read_text())
    grace = seconds(config["shutdown_grace"]) + seconds(config["shutdown_delay"])
    assert seconds(compose["services"]["popgate-1"]["stop_grace_period"]) >= grace + 15


def test_compose_configuration_is_one(directory, certificate):
    text = (COMPOSE / "popgate.yaml").read_text()
    tenants = directory / "tenants"
    shutil.copytree(COMPOSE / "tenants", tenants)
    for file in (directory / "popgate.yaml", *tenants.iterdir()):
        content = text if file.name == "popgate.yaml" else file.read_text()
        for there, here in {
            "/run/secrets/tls_cert": certificate.as_config()["certificate"],
            "/run/secrets/tls_key": certificate.as_config()["key"],
            "/etc/popgate/tenants": str(tenants),
        }.items():
            content = content.replace(there, here)
        file.write_text(content)
    done = run("check", "-q", "-c", directory / "popgate.yaml")
    assert (done.returncode, done.stderr) == (0, "")


def test_haproxy_takes_its_configuration():
    done = subprocess.run(["/usr/sbin/haproxy", "-c", "-f", COMPOSE / "haproxy.cfg"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# Grafana

NAME = re.compile(r"\bpopgate_[a-z0-9_]+\b")
SELECTOR = re.compile(r"\b(popgate_[a-z0-9_]+)\{([^}]*)\}")
# What Prometheus adds.
ADDED = {"instance", "job"}


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((DEPLOY / "grafana/dashboards/popgate.json").read_text())


def expressions(dashboard) -> list[str]:
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    found += [a["expr"] for a in dashboard["annotations"]["list"]]
    return found + [v["query"]["query"] for v in dashboard["templating"]["list"]
                    if v["type"] == "query"]


@pytest.fixture
def exported(imap):
    """The names of a gateway's samples, each with its labels."""
    port = free_port()
    imap(over="none", admin={"listen": f"127.0.0.1:{port}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    text = opener.open(f"http://127.0.0.1:{port}/metrics").read().decode()
    names: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line.startswith("popgate_"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
            names.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))
    return names


def test_the_dashboard_asks_for_metrics_that_are_there(dashboard, exported):
    found = expressions(dashboard)
    assert len(found) > 30
    for expression in found:
        used = set(NAME.findall(expression))
        assert used, expression
        assert used <= set(exported), f"{used - set(exported)} in {expression}"
        labels = set().union(*(exported[name] for name in used)) | ADDED
        for name, selector in SELECTOR.findall(expression):
            named = set(re.findall(r"(\w+)\s*=~?", selector))
            assert named <= exported[name] | ADDED, f"{named} of {name}"
        for group in re.findall(r"\bby \(([^)]*)\)", expression):
            assert set(re.findall(r"\w+", group)) <= labels, expression


def test_the_dashboard_holds_together(dashboard):
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [(x, y) for panel in panels for p in [panel["gridPos"]]
             for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells)), "panels overlap"
    source = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    chosen = next(v for v in dashboard["templating"]["list"] if v["type"] == "datasource")
    assert chosen["current"]["value"] == source["datasources"][0]["uid"]
