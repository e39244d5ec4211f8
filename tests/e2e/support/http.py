"""Requests to the admin interface, over TCP or its socket, and its metrics read by a parser."""

import http.client
import socket
import time
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from .gateway import Gateway
from .pop3 import TIMEOUT


class LocalConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(str(self.path))


class Answer:
    def __init__(self, response: http.client.HTTPResponse):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()


class Admin:
    """The admin interface of a running gateway."""

    def __init__(self, gateway: Gateway):
        self.listen = gateway.config["admin"]["listen"]
        self.socket = Path(gateway.config["state"].partition(":")[2]).with_name("admin.sock")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    def ask(self, path: str, method: str = "GET", *, local: bool = False, body: bytes | None = None,
            **headers: str) -> Answer:
        connection = (LocalConnection(self.socket) if local
                      else http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT))
        try:
            connection.request(method, path, body=body,
                               headers={k.replace("_", "-"): v for k, v in headers.items()})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def families(self) -> dict:
        """/metrics, parsed: families by name."""
        answer = self.ask("/metrics")
        assert answer.status == 200
        return {family.name: family for family in text_string_to_metric_families(answer.text)}

    def value(self, sample: str, **labels: str) -> float:
        """The value of one sample, by its name with _total and such."""
        for family in self.families().values():
            for found in family.samples:
                if found.name == sample and found.labels == labels:
                    return found.value
        raise AssertionError(f"no {sample} {labels}")

    def wait_value(self, sample: str, wanted: float, **labels: str) -> None:
        """Until it is so."""
        deadline = time.monotonic() + TIMEOUT
        while (value := self.value(sample, **labels)) != wanted:
            assert time.monotonic() < deadline, f"{sample} {labels} is {value}, not {wanted}"
