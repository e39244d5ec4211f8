"""The status page in a real browser: light and dark, on a phone, refreshing itself, under its own
strict Content-Security-Policy."""

import http.server
import re
import shutil
import struct
import subprocess
import threading

import pytest
from support import corpus
from support.gateway import free_port, password
from support.http import Admin
from support.pop3 import TIMEOUT

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium")


@pytest.fixture
def browser(directory):
    """browser(url, *options): what headless Chromium prints, and what it complains of."""

    def run(url: str, *options: str, quiet: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--enable-logging=stderr", "--log-level=0", "--hide-scrollbars",
             f"--user-data-dir={directory}/chromium", *options, url],
            capture_output=True, text=True, timeout=TIMEOUT, check=True)  # fmt: skip
        complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        assert not (quiet and complaints), complaints
        return done

    return run


@pytest.fixture
def served(local):
    running = local([corpus.message("one")], admin={"listen": f"127.0.0.1:{free_port()}"})
    running.admin = Admin(running.gateway)
    running.url = f"http://127.0.0.1:{running.admin.port}/"
    return running


def text_of(dom: str) -> str:
    body = dom.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_it_shows_what_goes_on(served, browser):
    with served.connect() as failing:
        failing.ok(f"USER {served.login}")
        failing.err(f"PASS {password('wrong')}")
    with served.session() as client:
        client.retr(1)
        text = text_of(browser(served.url, "--dump-dom").stdout)
        assert "pop.test" in text and "serving" in text
        assert re.search(r"Sessions 1 of 10.000", text)
        assert f"{served.login} 127.0.0.1 local pop3 open" in text
        assert re.search(rf"login {served.login} 127\.0\.0\.1 local", text), "the refusal"
        for heading in ("Tenants", "Listeners", "Workers", "Recent refusals", "Login time"):
            assert heading in text
        assert "IMAP servers" not in text, "there is none"


def test_it_refreshes_itself(served, browser):
    """A browser that stays for twelve (virtual) seconds asks again and shows the later answer."""
    first = {}

    class Relay(http.server.BaseHTTPRequestHandler):
        """The gateway's answers, each with the count of those before it in place of its host."""

        def do_GET(self):
            answer = served.admin.ask(self.path)
            first[self.path] = first.get(self.path, 0) + 1
            body = answer.text.replace("pop.test", f"visit {first[self.path]}").encode()
            self.send_response(answer.status)
            for name in ("Content-Type", "Content-Security-Policy"):
                self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        dom = browser(f"http://127.0.0.1:{relay.server_port}/", "--dump-dom",
                      "--virtual-time-budget=12000").stdout
        relay.shutdown()
    assert first["/"] >= 2
    assert f"visit {first['/']}" in text_of(dom)
    assert re.search(rf"<title>visit {first['/']} . popgate</title>", dom)
    assert 'class="stale"' not in dom
    assert len(re.findall('id="live"', dom)) == 1


def test_it_says_when_the_gateway_is_gone(served, browser):
    class Once(http.server.BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Once.asked += 1
            if Once.asked > 1:
                return  # closes without a word
            answer = served.admin.ask("/")
            self.send_response(200)
            for name in ("Content-Type", "Content-Security-Policy"):
                self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(answer.text.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Once) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        dom = browser(f"http://127.0.0.1:{relay.server_port}/", "--dump-dom",
                      "--virtual-time-budget=12000", quiet=False).stdout
        relay.shutdown()
    assert 'class="stale"' in dom and "serving" in dom


@pytest.mark.parametrize("width, dark", [(1280, False), (1280, True), (390, False), (390, True)])
def test_it_is_drawn(served, browser, directory, width, dark):
    picture = directory / "page.png"
    browser(served.url, f"--screenshot={picture}", f"--window-size={width},900",
            *(["--force-dark-mode"] if dark else []))
    octets = picture.read_bytes()
    assert struct.unpack(">II", octets[16:24]) == (width, 900)
    # Less than that would be an empty sheet.
    assert len(octets) > 15000


def test_nothing_comes_from_elsewhere(served):
    page = served.admin.ask("/")
    assert not re.findall(r"(?:src|href|action|url\()\s*=?\s*[\"']?(?:https?:)?//", page.text)
    assert not re.findall(r"\son[a-z]+\s*=|\sstyle\s*=|javascript:", page.text)
    policy = page.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([0-9a-f]{32})'", policy)[1]
    assert re.findall(r"<(?:script|style)([^>]*)>", page.text) == [f' nonce="{nonce}"'] * 2
    assert nonce not in served.admin.ask("/").text, "each answer has its own"


def test_what_clients_say_stays_text(served, browser):
    """Nobody is let in by that name; the page shows it among the refusals, as it is."""
    evil = '"><img/src=x/onerror=document.title=1><script>document.title=2</script>@local.example'
    with served.connect() as client:
        client.ok(f"USER {evil}")
        client.err(f"PASS {password('x')}")
    dom = browser(served.url, "--dump-dom").stdout
    assert "<img" not in dom
    assert len(re.findall("<script", dom)) == 1
    assert re.search("<title>pop.test . popgate</title>", dom)
    assert "&lt;script&gt;" in dom


def test_buttons_are_there_where_they_work(served):
    with served.session() as client:
        assert "<form" not in served.admin.ask("/").text
        page = served.admin.ask("/", local=True).text
        action = re.search(r'<form method="post" action="([^"]+)"><button[^>]*>Close', page)[1]
        answer = served.admin.ask(action, "POST", local=True, Accept="text/html")
        assert answer.status == 303
        assert "administrator" in client.reply()
