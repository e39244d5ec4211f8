"""health: what a container's health check asks; the answers of a gateway are scripted here."""

import http.server
import threading

import pytest
import yaml
from support.gateway import free_port, run


@pytest.fixture
def asked(directory, gateway_config, maildir_tenant):
    """asked(answers, *options, listen=…): the verb's result before a server with these answers."""
    servers = []

    def ask(answers: dict[str, tuple[int, str]], *options, listen="127.0.0.1:%d", address="127.0.0.1"):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, text = answers[self.path]
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        port = free_port()
        if answers:
            server = http.server.ThreadingHTTPServer((address, port), Handler)
            threading.Thread(target=server.serve_forever).start()
            servers.append(server)
        file = directory / "popgate.yaml"
        file.write_text(yaml.safe_dump(gateway_config(
            tenants=[maildir_tenant()], admin={"listen": listen % port if listen else ""})))
        return run("health", "-c", file, *options)

    yield ask
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_gateway_that_is_well(asked):
    done = asked({"/healthz": (200, "ok\n")})
    assert (done.returncode, done.stdout) == (0, "ok\n")


def test_one_that_is_not_ready(asked):
    answers = {"/healthz": (200, "ok\n"), "/readyz": (503, "not ready: draining\n")}
    done = asked(answers, "--ready")
    assert (done.returncode, done.stderr) == (1, "not ready: draining\n")
    assert asked(answers).returncode == 0


def test_one_that_listens_on_every_address(asked):
    assert asked({"/healthz": (200, "ok\n")}, listen="0.0.0.0:%d").returncode == 0


def test_nobody_answers(asked):
    done = asked({})
    assert done.returncode == 1
    assert "no answer at 127.0.0.1:" in done.stderr and "Connection refused" in done.stderr


def test_nobody_to_ask(asked):
    done = asked({}, listen="")
    assert (done.returncode, done.stderr) == (
        2, "popgate: admin.listen is empty: there is nobody to ask\n")


def test_help_and_usage():
    assert run("health", "--help").stdout.startswith("Usage: popgate health")
    assert run("health", "more").returncode == 2
