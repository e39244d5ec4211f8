"""The real gateway, one instance per test: started, watched, ended, and its log judged."""

import base64
import copy
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import yaml

from .pop3 import TIMEOUT

TOP = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("POPGATE_BINARY", TOP / "build/asan/popgate"))

# Part of every password of these tests, so that a log which holds one is found.
SECRET = "sEcReT"
PASSWORD = f"{SECRET} of joe"

BROKEN = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|UndefinedBehavior|Assertion")
FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


# Options of a gateway whose memory is to be measured: ASan keeps what was freed for a while.
LEAN = {"env": {
    **os.environ, "ASAN_OPTIONS": "detect_stack_use_after_return=0:quarantine_size_mb=1"}}


def password(of: str) -> str:
    return f"{SECRET}-{of}"


# Below the range from which the system takes the ports of clients, a part for each of pytest's
# processes, begun anywhere so that two runs on one machine rarely meet.
PORTS = range(15000, 32000)
SHARE = len(PORTS) // 8
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
ports = itertools.count(random.randrange(SHARE))


def free_port(host: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = PORTS[WORKER * SHARE + next(ports) % SHARE]
        with socket.socket(family) as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError:
                continue


def merge(base: dict, changes: dict) -> dict:
    """base with changes laid over it, mapping by mapping; None takes a key away."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def secret_traces() -> list[bytes]:
    """The forms in which SECRET might reach a log: as it is, and inside base64."""
    forms = [SECRET.encode()]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + SECRET.encode())
        # Characters that also hold bits of a neighbour are left out.
        forms.append(encoded[-(-shift * 8 // 6) : len(SECRET) * 8 // 6])
    return forms


def parse(line: str) -> dict[str, str]:
    """The fields of a logfmt line; empty when it is none."""
    if not line.startswith("time="):
        return {}
    fields = {}
    for key, value in FIELD.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\u([0-9a-f]{4})|\\(.)",
                           lambda m: chr(int(m[1], 16)) if m[1] else m[2], value[1:-1])
        fields[key] = value
    return fields


def run(*arguments, stdin: str | bytes = b"", **options) -> subprocess.CompletedProcess:
    """A verb, to its end; output as text."""
    done = subprocess.run(
        [BINARY, *map(str, arguments)],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True, timeout=TIMEOUT, **options,
    )  # fmt: skip
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert not BROKEN.search(done.stderr), done.stderr
    assert done.returncode in (0, 1, 2), (done.returncode, done.stderr)
    return done


class Gateway:
    """A running `popgate serve`; wrapper: a command that starts it."""

    def __init__(self, directory: Path, config: dict, wrapper: list | None = None, **options):
        self.directory = directory
        self.config = config
        self.file = directory / "popgate.yaml"
        self.lines: list[str] = []
        self.past: list[str] = []  # of earlier processes
        self.changed = threading.Condition()
        self.process: subprocess.Popen | None = None
        self.wrapper = wrapper or []
        self.options = options
        self.expected_status = 0
        self.may_break = False
        self.write(config)

    def write(self, config: dict) -> None:
        self.config = config
        self.file.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    # Process

    def start(self) -> "Gateway":
        """Returns once the gateway serves."""
        self.launch()
        self.wait("ready")
        return self

    def launch(self) -> "Gateway":
        """Starts it without waiting; its log begins anew."""
        self.past += self.lines
        self.lines = []
        self.process = subprocess.Popen(
            [*self.wrapper, BINARY, "serve", "-c", self.file],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, **self.options,
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        return self

    def _read(self, process: subprocess.Popen) -> None:
        for line in process.stdout:
            with self.changed:
                self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_end(self) -> int:
        """Waits for the process to end by itself; its status."""
        status = self.process.wait(TIMEOUT)
        self.reader.join(TIMEOUT)
        return status

    def stop(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            status = self.wait_end()
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.wait_end()
            raise AssertionError(f"did not end after SIGTERM\n{self.text()}") from None
        finally:
            self.process = None
        self.judge()
        assert status == self.expected_status, f"status {status}\n{self.text()}"

    def kill(self) -> None:
        """SIGKILL to master and workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.wait_end()
        self.process = None
        self.judge()

    def judge(self) -> None:
        """No sanitizer spoke, no password was logged."""
        text = "\n".join([*self.past, self.text()])
        assert self.may_break or not BROKEN.search(text), text
        for trace in secret_traces():
            assert trace.decode() not in text, f"a password in the log: {trace!r}\n{text}"

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def memory(self) -> int:
        """Resident octets of the workers."""
        total = 0
        for pid in self.workers():
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
        return total

    # Log

    def text(self) -> str:
        with self.changed:
            return "\n".join(self.lines)

    def events(self, name: str = "", **fields: str) -> list[dict[str, str]]:
        """The log's lines of that event whose fields have these values."""
        with self.changed:
            parsed = [parse(line) for line in self.lines]
        wanted = {**({"event": name} if name else {}), **fields}
        return [p for p in parsed if p and all(p.get(k) == v for k, v in wanted.items())]

    def wait(self, name: str, count: int = 1, **fields: str) -> dict[str, str]:
        """Waits until the log holds count such lines; the last of them."""
        def found():
            events = self.events(name, **fields)
            return events[count - 1] if len(events) >= count else None

        return self._await(found, f"{name} {fields}")

    def wait_text(self, text: str) -> None:
        """Waits until the log holds this text."""
        self._await(lambda: text in self.text(), text)

    def _await(self, found, what: str):
        deadline = time.monotonic() + TIMEOUT
        while not (result := found()):
            with self.changed:
                ended = self.process is None or self.process.poll() is not None
                assert not ended or self.reader.is_alive(), f"ended\n{self.text()}"
                assert time.monotonic() < deadline, f"no {what}\n{self.text()}"
                self.changed.wait(1)
        return result

    # Listeners

    def port(self, listener: str = "pop3") -> int:
        """The port of the first address of a listener."""
        entry = next(entry for entry in self.config["listeners"] if entry["name"] == listener)
        return int(entry["listen"][0].rpartition(":")[2])

    def reload(self) -> None:
        self.signal(signal.SIGHUP)
