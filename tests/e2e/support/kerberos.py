"""A real KDC on loopback: its own realm, database and port."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import gssapi

from .gateway import TIMEOUT, free_port, password

CLIENT = """
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  forwardable = true
  clockskew = {skew}
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  localhost = {realm}
"""

SERVER = """
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {directory}/principal
    key_stash_file = {directory}/stash
    acl_file = {directory}/acl
    max_life = 1d
    supported_enctypes = aes256-cts:normal aes128-cts:normal
  }}
[logging]
  kdc = FILE:{directory}/kdc.log
"""


def program(name: str) -> str:
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert found, f"{name} is not installed"
    return found


class Kdc:
    """`krb5kdc -n`, with kadmin.local to fill its database."""

    def __init__(self, directory: Path, realm: str = "ACME.EXAMPLE"):
        directory.mkdir()
        self.directory = directory
        self.realm = realm
        self.port = free_port()
        self.config = self.client_config()
        (directory / "kdc.conf").write_text(
            SERVER.format(realm=realm, port=self.port, directory=directory))
        self.process: subprocess.Popen | None = None
        self._run("kdb5_util", "create", "-s", "-r", realm, "-P", "kdc master key")

    def client_config(self, *, skew: int = 300) -> Path:
        """A krb5.conf for its realm. skew: by how many seconds clocks may differ."""
        path = self.directory / f"krb5-{skew}.conf"
        path.write_text(CLIENT.format(realm=self.realm, port=self.port, skew=skew))
        return path

    def environment(self, **more: str) -> dict[str, str]:
        """For programs that use this realm, with a replay cache of their own."""
        return {
            **os.environ,
            "KRB5_CONFIG": str(self.config),
            "KRB5_KDC_PROFILE": str(self.directory / "kdc.conf"),
            "KRB5RCACHENAME": f"file2:{self.directory}/replay",
            **more,
        }

    def _run(self, name: str, *arguments: str, stdin: str = "", check: bool = True):
        done = subprocess.run([program(name), *map(str, arguments)], env=self.environment(),
                              input=stdin.encode(), capture_output=True, timeout=TIMEOUT)
        assert not check or done.returncode == 0, done.stderr.decode()
        return done

    def start(self) -> "Kdc":
        self.process = subprocess.Popen(
            [program("krb5kdc"), "-n", "-r", self.realm], env=self.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), TIMEOUT).close()
                return self
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.02)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(TIMEOUT)
            self.process = None

    def freeze(self) -> None:
        """It takes requests and answers none."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    # Its database

    def user(self, name: str) -> "Kdc":
        self._run("kadmin.local", "-r", self.realm, "addprinc", "-pw", password(name), name)
        return self

    def keytab(self, *services: str) -> Path:
        """A file with new keys of services such as "pop/localhost"; a second call adds some."""
        path = self.directory / f"{'+'.join(services).replace('/', '_')}.keytab"
        for service in services:
            self._run("kadmin.local", "-r", self.realm, "addprinc", "-randkey", service,
                      check=False)  # it may be there already
        self._run("kadmin.local", "-r", self.realm, "ktadd", "-k", path, *services)
        path.chmod(0o644)
        return path

    def rekey(self, service: str) -> None:
        """The service gets new keys, which no keytab has."""
        self._run("kadmin.local", "-r", self.realm, "cpw", "-randkey", service)

    # Its clients

    def login(self, name: str, *, life: str = "1h") -> "Ticket":
        cache = self.directory / f"ticket-{name.replace('/', '_')}-{time.monotonic_ns()}"
        self._run("kinit", "-c", cache, "-l", life, f"{name}@{self.realm}",
                  stdin=password(name) + "\n")
        return Ticket(self, cache)


class Ticket:
    """What kinit got."""

    def __init__(self, kdc: Kdc, cache: Path):
        self.kdc = kdc
        self.cache = cache

    def environment(self) -> dict[str, str]:
        return self.kdc.environment(KRB5CCNAME=f"FILE:{self.cache}")

    def context(self, service: str = "pop@localhost", *, delegate: bool = False,
                mutual: bool = True, bindings=None) -> gssapi.SecurityContext:
        """The client's side of an exchange."""
        os.environ["KRB5_CONFIG"] = str(self.kdc.config)
        flags = {gssapi.RequirementFlag.integrity}
        if mutual:
            flags.add(gssapi.RequirementFlag.mutual_authentication)
        if delegate:
            flags.add(gssapi.RequirementFlag.delegate_to_peer)
        return gssapi.SecurityContext(
            name=gssapi.Name(service, gssapi.NameType.hostbased_service),
            creds=gssapi.Credentials(usage="initiate", store={"ccache": f"FILE:{self.cache}"}),
            usage="initiate", mech=gssapi.MechType.kerberos, flags=flags,
            channel_bindings=bindings)
