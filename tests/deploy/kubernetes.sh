#!/bin/bash
# The pod of deploy/kubernetes/overlays/example, run by podman kube play. By hand, as root, with kubectl,
# podman, curl, openssl, python3-yaml, and the image as tests/deploy/container.sh says:
#
#   tests/deploy/kubernetes.sh
#
# podman 4.3 knows less than a cluster: one replica, the certificate as a ConfigMap, no password of a
# database, hence no registry. Ends with 0 when all of it held.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)

cleanup() {
	podman kube down "$work/pod.yaml" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT

fail() {
	printf 'kubernetes: %s\n' "$*" >&2
	podman logs popgate-pod-0-popgate >&2 || true
	exit 1
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext 'subjectAltName=DNS:localhost' -keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null
kubectl kustomize deploy/kubernetes/overlays/example >"$work/rendered.yaml"
/usr/bin/python3 - "$work" <<'PYTHON'
import pathlib, re, sys, yaml

work = pathlib.Path(sys.argv[1])
kept = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "popgate-tls"},
         "data": {name: (work / name).read_text() for name in ("tls.crt", "tls.key")}}]
for document in yaml.safe_load_all((work / "rendered.yaml").read_text()):
    if document["kind"] == "ConfigMap":
        document["data"] = {name: re.sub("(?m)^state:.*", "state: none", text)
                            for name, text in document["data"].items()}
        kept.append(document)
    elif document["kind"] == "Deployment":
        document["spec"]["replicas"] = 1
        pod = document["spec"]["template"]["spec"]
        for volume in pod["volumes"]:
            if volume.pop("secret", None):
                volume["configMap"] = {"name": "popgate-tls"}
        container = pod["containers"][0]
        del container["env"]
        container["image"] = "localhost/popgate:dev"
        for port in container["ports"]:
            port["hostPort"] = port["containerPort"] + 10000
        kept.append(document)
(work / "pod.yaml").write_text(yaml.safe_dump_all(kept))
PYTHON
podman kube play "$work/pod.yaml" >/dev/null
pod=popgate-pod-0-popgate
for _ in $(seq 100); do
	! podman exec "$pod" popgate health --ready >/dev/null 2>&1 || break
	sleep 0.1
done
podman exec "$pod" popgate health --ready || fail 'the readiness probe fails'
podman healthcheck run "$pod" || fail 'the liveness probe fails'
[ "$(podman exec "$pod" id -u)" = 10110 ] || fail 'another account'
! podman exec "$pod" touch /etc/x 2>/dev/null || fail 'its root file system can be written'
# Nobody may log in, there is no store; it ends with -ERR and QUIT.
said=$(curl -sSv --max-time 10 --cacert "$work/tls.crt" pop3s://localhost:11995/ 2>&1) || true
grep -q '^< +OK bye' <<<"$said" || fail "no session by TLS: $said"
said=$(curl -sS --max-time 10 http://localhost:19110/metrics) || true
grep -q '^popgate_ready 1' <<<"$said" || fail "no metrics: $said"
podman stop -t 60 "$pod" >/dev/null 2>&1
status=$(podman inspect -f '{{.State.ExitCode}}' "$pod")
[ "$status" = 0 ] || fail "it ended with $status"
echo 'kubernetes: all held'
