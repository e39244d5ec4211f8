"""The manifests of deploy/kubernetes, against the types of the Kubernetes API, and each other."""

import json
import shutil
import subprocess

import pytest
import yaml
from support.gateway import TOP, run
from support.units import seconds

KUBERNETES = TOP / "deploy/kubernetes"
BASE = KUBERNETES / "base"
TYPES = TOP / "tests/deploy/kubernetes"


def documents(kustomization) -> list[dict]:
    """As kustomize renders it; without kubectl the resources of the base as they are."""
    if shutil.which("kubectl"):
        text = subprocess.run(["kubectl", "kustomize", kustomization], check=True,
                              capture_output=True, text=True).stdout
        return list(yaml.safe_load_all(text))
    names = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return [yaml.safe_load((BASE / name).read_text()) for name in names]


def of_kind(kind: str, kustomization=BASE) -> dict:
    return next(d for d in documents(kustomization) if d["kind"] == kind)


def module_of(api_version: str) -> str:
    group, _, version = api_version.rpartition("/")
    return f"kubernetes-types/{group.removesuffix('.k8s.io') or 'core'}/{version}"


def mistakes(found: list[dict], directory) -> str:
    """What the compiler says of documents as literals of their types."""
    lines = [f"export const d{i}: import({json.dumps(module_of(d['apiVersion']))}).{d['kind']}"
             f" = {json.dumps(d)};" for i, d in enumerate(found)]
    # Packages are looked for in the folders above a source.
    (directory / "node_modules").symlink_to(TYPES / "node_modules")
    (directory / "manifests.ts").write_text("\n".join(lines))
    done = subprocess.run(
        ["node", TYPES / "node_modules/typescript/bin/tsc", "--noEmit", "--strict",
         "--module", "esnext", "--moduleResolution", "bundler", "manifests.ts"],
        cwd=directory, capture_output=True, text=True)  # fmt: skip
    assert (done.returncode == 0) == (not done.stdout), done.stderr
    return done.stdout


OVERLAYS = [BASE, *sorted((KUBERNETES / "overlays").iterdir())]


@pytest.mark.parametrize("kustomization", OVERLAYS, ids=lambda path: path.name)
def test_manifests_are_of_their_types(kustomization, directory):
    found = documents(kustomization)
    assert {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler",
            "NetworkPolicy"} <= {d["kind"] for d in found}  # fmt: skip
    assert mistakes(found, directory) == ""


def test_a_wrong_field_would_be_found(directory):
    deployment = of_kind("Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readyProbe"] = {}
    assert "readyProbe" in mistakes([deployment], directory)


def configurations():
    return [BASE, *(path for path in OVERLAYS[1:] if (path / "popgate.yaml").exists())]


@pytest.mark.parametrize("folder", configurations(), ids=lambda path: path.name)
def test_the_configuration_is_one(folder, directory, certificate):
    """With files of this machine where the pod has its own."""
    text = (folder / "popgate.yaml").read_text()
    for mounted, here in {
        "/etc/popgate-tls/tls.crt": certificate.as_config()["certificate"],
        "/etc/popgate-tls/tls.key": certificate.as_config()["key"],
        "/etc/popgate-tenants": str(folder / "tenants"),
    }.items():
        assert mounted in text
        text = text.replace(mounted, here)
    (directory / "popgate.yaml").write_text(text)
    done = run("check", "-q", "-c", directory / "popgate.yaml")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pod_gets_the_time_that_its_sessions_get():
    config = yaml.safe_load((BASE / "popgate.yaml").read_text())
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    wait = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = seconds(config["shutdown_grace"]) + seconds(config.get("shutdown_delay", "0s"))
    assert pod["terminationGracePeriodSeconds"] >= wait + grace + 15


def test_ports_fit():
    config = yaml.safe_load((BASE / "popgate.yaml").read_text())
    container = of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listens = {entry["name"]: entry["listen"][0] for entry in config["listeners"]}
    listens["admin"] = config["admin"]["listen"]
    assert ports == {name: int(at.rpartition(":")[2]) for name, at in listens.items()}
    targets = {port["targetPort"] for port in of_kind("Service")["spec"]["ports"]}
    assert targets == {"pop3", "pop3s"}


def test_nothing_is_privileged():
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    context = pod["containers"][0]["securityContext"]
    assert context == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                       "capabilities": {"drop": ["ALL"]}}  # fmt: skip
    account = f"--uid {pod['securityContext']['runAsUser']} "
    assert account in (TOP / "deploy/Dockerfile").read_text()
