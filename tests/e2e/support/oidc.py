"""A real OpenID provider on loopback (oidc/provider.mjs), tokens of it, and tokens forged."""

import base64
import http.server
import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from .gateway import TIMEOUT, free_port, password

HERE = Path(__file__).resolve().parents[1] / "oidc"
AUDIENCE = "mail"
SCOPE = "mail"
# Characters that a form has to encode.
GATEWAY = ("gate+way %", password("gateway %+&="))
MAILER = ("mailer", password("mailer"))
DOVECOT = ("dovecot", password("dovecot"))


def number(value: int, octets: int = 0) -> str:
    data = value.to_bytes(octets or (value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Key:
    """A private key as a JWK; its id is its algorithm unless named."""

    alg: str
    id: str = ""
    bits: int = 2048
    private: object = field(init=False)

    def __post_init__(self):
        self.id = self.id or self.alg
        curves = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
        if self.alg in curves:
            self.private = ec.generate_private_key(curves[self.alg]())
        else:
            self.private = rsa.generate_private_key(65537, self.bits)

    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def jwk(self, private: bool = True) -> dict:
        own = self.private.private_numbers()
        public = own.public_numbers
        if isinstance(self.private, rsa.RSAPrivateKey):
            made = {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
            secret = {"d": own.d, "p": own.p, "q": own.q, "dp": own.dmp1, "dq": own.dmq1,
                      "qi": own.iqmp}
            secret = {name: number(value) for name, value in secret.items()}
        else:
            size = (self.private.curve.key_size + 7) // 8
            made = {"kty": "EC", "crv": f"P-{self.private.curve.key_size}",
                    "x": number(public.x, size), "y": number(public.y, size)}
            secret = {"d": number(own.private_value, size)}
        return {**made, "kid": self.id, "use": "sig", "alg": self.alg,
                **(secret if private else {})}


class Provider:
    """A running oidc-provider."""

    def __init__(self, keys: list[Key], *, port: int = 0, certificate=None):
        self.keys = {key.alg: key for key in keys}
        self.port = port or free_port()
        self.certificate = certificate
        self.url = f"{'https' if certificate else 'http'}://localhost:{self.port}"
        self.jwks_url = f"{self.url}/jwks"
        self.introspection_url = f"{self.url}/token/introspection"
        self.process: subprocess.Popen | None = None

    def start(self) -> "Provider":
        node = shutil.which("node") or shutil.which("nodejs")
        assert node, "node is not installed"
        assert (HERE / "node_modules").is_dir(), "run tests/e2e/oidc/install.sh"
        settings = {
            "port": self.port,
            "issuer": self.url,
            "jwks": {"keys": [key.jwk() for key in self.keys.values()]},
            "clients": [
                {"client_id": MAILER[0], "client_secret": MAILER[1]},
                {"client_id": GATEWAY[0], "client_secret": GATEWAY[1], "grant_types": []},
                {"client_id": DOVECOT[0], "client_secret": DOVECOT[1], "grant_types": [],
                 "token_endpoint_auth_method": "client_secret_post"},
            ],
            **({"certificate": str(self.certificate.certificate),
                "key": str(self.certificate.key)} if self.certificate else {}),
        }  # fmt: skip
        self.process = subprocess.Popen(
            [node, HERE / "provider.mjs", json.dumps(settings)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout.readline() == b"ready\n"
        return self

    def stop(self) -> None:
        if self.process:
            self.process.stdin.close()
            self.process.wait(TIMEOUT)
            self.process.stdout.close()
            self.process = None

    # Tokens of the provider

    def token(self, email: str, *, alg: str = "RS256", audience: str = AUDIENCE,
              scope: str = SCOPE, opaque: bool = False, **claims) -> str:
        """An access token for somebody, by the client_credentials grant."""
        resource = f"urn:opaque::{audience}" if opaque else f"urn:jwt:{alg}:{audience}"
        answer = self._post("/token", MAILER, grant_type="client_credentials", scope=scope,
                            resource=resource, claims=json.dumps({"email": email, **claims}))
        return answer["access_token"]

    def revoke(self, token: str) -> None:
        self._post("/token/revocation", MAILER, token=token)

    def _post(self, path: str, client: tuple[str, str], **form) -> dict:
        assert not self.certificate, "tokens are got in clear here"
        credentials = ":".join(map(urllib.parse.quote_plus, client))
        request = urllib.request.Request(
            self.url + path, urllib.parse.urlencode(form).encode(),
            {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT) as answer:
            return json.loads(answer.read() or b"{}")

    # Tokens with its keys that it would not issue

    def claims(self, email: str, **changes) -> dict:
        """What its tokens say; None takes a claim away."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 600, "sub": "mailer",
                  "scope": SCOPE, "email": email, **changes}  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def forge(self, email: str, *, alg: str = "RS256", key: Key | None = None,
              header: dict | None = None, **changes) -> str:
        signer = key or self.keys[alg]
        return jwt.encode(self.claims(email, **changes), signer.private, alg,
                          {"kid": signer.id, **(header or {})})

    # Configuration

    def by_keys(self, **more) -> dict:
        """auth.oauth2 of a tenant that checks signatures."""
        return {"jwks_url": self.jwks_url, "issuer": self.url, "audience": [AUDIENCE], **more}

    def by_asking(self, directory: Path, **more) -> dict:
        """auth.oauth2 of a tenant that asks about each token."""
        secret = directory / "client-secret"
        secret.write_text(GATEWAY[1] + "\n")
        return {"introspection_url": self.introspection_url, "issuer": self.url,
                "audience": [AUDIENCE], "client_id": GATEWAY[0],
                "client_secret_file": str(secret), **more}  # fmt: skip


def raw(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class Web:
    """A web server that answers as a test says: web.answer(status, body), or web.stall()."""

    def __init__(self):
        self.status, self.body = 200, b"{}"
        self.headers: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.requests: list[str] = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def respond(self):
                length = int(self.headers.get("Content-Length") or 0)
                web.requests.append(self.path + " " + self.rfile.read(length).decode())
                web.gate.wait(TIMEOUT)
                try:
                    self.send_response(web.status)
                    for name, value in web.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(web.body)
                except OSError:
                    pass  # the gateway has given up

            do_GET = do_POST = respond

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, body: bytes | dict, status: int = 200, **headers: str) -> "Web":
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = headers
        return self

    def stall(self) -> "Web":
        """Takes requests and answers none until the test ends."""
        self.gate.clear()
        return self

    def stop(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
