"""The wrong turns of a new administrator: the program tells each in one line, with what to do."""

import os
import pwd
import socket
import subprocess

import pytest
from support.gateway import BINARY, PASSWORD, Gateway, free_port, run

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def folder(directory):
    """This test's, whom nobody may enter too."""
    directory.chmod(0o755)
    return directory


@pytest.fixture
def config(folder, gateway_config, maildir_tenant):
    def make(**changes) -> Gateway:
        return Gateway(folder, gateway_config(**{"tenants": [maildir_tenant()], **changes}))

    return make


def as_nobody(*arguments, stdin: str = "") -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, *map(str, arguments)], user=NOBODY.pw_uid, group=NOBODY.pw_gid,
                          extra_groups=[], input=stdin, capture_output=True, text=True, timeout=30)


def lines(done) -> list[str]:
    """What it complains of."""
    return [row for row in done.stderr.splitlines()
            if "mistake" not in row and "doesn't fully support" not in row
            and not row.startswith(("warning: ", "note: ", "time="))]  # fmt: skip


def only_line(done, status: int = 2) -> str:
    found = lines(done)
    assert done.returncode == status and len(found) == 1, done.stdout + done.stderr
    return found[0]


# Before it starts


def test_no_configuration(folder):
    for verb in (["serve"], ["check"], ["route", "joe"], ["who"]):
        said = only_line(run(*verb, "-c", folder / "there.yaml"))
        assert said == (f"popgate: there is no file {folder}/there.yaml: "
                        "name the configuration by -c FILE")  # fmt: skip


def test_a_mistyped_key(config):
    instance = config(limits={"sesions": 5})
    for verb in ("serve", "check"):
        said = only_line(run(verb, "-c", instance.file))
        assert 'limits.sesions: unknown key, expected "sessions"?' in said
        assert said.startswith(f"{instance.file}:"), "with its place"


def test_a_tab(config):
    instance = config()
    instance.file.write_text("# \u00fc\nlimits:\n  sessions: 5\n \tidle: 5m\n")
    assert "indented by spaces, never by tabs" in only_line(run("check", "-c", instance.file))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_an_unreadable_key(config, certificate, folder):
    key = folder / "key.pem"
    key.write_bytes(open(certificate.as_config()["key"], "rb").read())
    key.chmod(0o600)
    chain = folder / "cert.pem"
    chain.write_bytes(open(certificate.as_config()["certificate"], "rb").read())
    instance = config(certificates=[{"certificate": str(chain), "key": str(key)}])
    (folder / "users").chmod(0o644)
    for verb in ("serve", "check"):
        said = only_line(as_nobody(verb, "-c", instance.file))
        assert f"{key} cannot be read by the account nobody (Permission denied)" in said


def test_a_key_of_another_certificate(config, certificate, other_certificate):
    instance = config(certificates=[{"certificate": certificate.as_config()["certificate"],
                                     "key": other_certificate.as_config()["key"]}])
    assert "the key does not fit the certificate" in only_line(run("check", "-c", instance.file))


@pytest.mark.parametrize("verb", ["serve", "check", "route", "probe", "health", "users", "state", "who"])
@pytest.mark.parametrize("option", ["--nonsense", "-Z", "-qqZ"])
def test_a_wrong_option(verb, option):
    done = run(verb, option)
    wanted = "-Z" if option[1] != "-" else option
    # -q is one of check alone.
    if option == "-qqZ" and verb != "check":
        wanted = "-q"
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith(f"popgate {verb}: there is no option '{wanted}'"), done.stderr
    assert second == f"Try 'popgate {verb} --help'."


def test_an_option_without_its_value():
    done = run("check", "--config")
    assert done.returncode == 2 and "'--config', or its value is missing" in done.stderr


# When it starts


def test_a_port_in_use(config):
    with socket.create_server(("127.0.0.1", free_port())) as other:
        address = "127.0.0.1:%d" % other.getsockname()[1]
        instance = config(listeners=[{"name": "pop3", "listen": [address]}])
        said = only_line(run("serve", "-c", instance.file))
    assert said == (f"popgate: listener pop3, {address}: Address already in use: end the program "
                    "that listens there, or choose another port")  # fmt: skip


def test_no_folder_for_the_state(config, folder):
    instance = config(state=f"sqlite:{folder}/there/state.db")
    said = only_line(run("serve", "-c", instance.file))
    account = pwd.getpwuid(os.geteuid()).pw_name
    assert said == (f"popgate: state: registry {folder}/there/state.db: cannot be created (No such "
                    f"file or directory): its folder must be there, and the account {account} able "
                    "to write to it")  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_state_that_belongs_to_another(config, folder):
    """As it is when root tried something first, and the service is somebody else."""
    kept = folder / "kept"
    kept.mkdir(mode=0o755)
    instance = config(state=f"sqlite:{kept}/state.db", run_as="nobody")
    (folder / "users").chmod(0o644)
    said = only_line(run("serve", "-c", instance.file))
    assert "cannot be created (Permission denied)" in said and "the account nobody able to" in said
    done = run("probe", "-c", instance.file, "joe@local.example", stdin=PASSWORD)
    assert said.partition("state: ")[2] in only_line(done, 1), "the same, before it is tried"
    os.chown(kept, NOBODY.pw_uid, NOBODY.pw_gid)
    (kept / "state.db").touch(0o600)
    said = only_line(run("serve", "-c", instance.file))
    assert said.endswith("cannot be written: give it, and its folder, to the account nobody")
    (kept / "state.db").chmod(0o644)
    assert said == only_line(run("serve", "-c", instance.file))


def test_no_gateway_is_running(config):
    instance = config(admin={"listen": f"127.0.0.1:{free_port()}"})
    for verb in (["health"], ["health", "--ready"], ["who"]):
        said = only_line(run(*verb, "-c", instance.file), 1)
        assert said.endswith("is the gateway running, with this configuration?")


# On the way to the mail store


@pytest.fixture
def probe(gateway, dovecot):
    """probe(imap={…}): what is told to do about a login that fails; its detail."""

    def call(password: str | None = None, **imap) -> tuple[str, str]:
        user = dovecot.new_user()
        tenant = {"name": "acme", "imap": {"connect_timeout": "1s", **imap}}
        instance = gateway(start=False, tenants=[tenant])
        done = run("probe", "-c", instance.file, user.login, stdin=password or user.password)
        assert done.returncode == 1, done.stdout
        told = dict(row.split(None, 1) for row in done.stdout.splitlines() if " " in row)
        return told["do"], told["why"]

    return call


def test_a_server_that_is_down(probe):
    advice, why = probe(servers=["127.0.0.1"], port=free_port(), tls="none")
    assert "Connection refused" in why and "127.0.0.1" in why
    assert advice == ("nothing listens there: start the server, or correct imap.servers and "
                      "imap.port")  # fmt: skip


def test_a_name_that_nobody_has(probe):
    advice, why = probe(servers=["imap.acme.invalid"])
    assert "imap.acme.invalid" in why and "imap.servers" in advice


def test_a_server_that_says_nothing(probe):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        advice, why = probe(servers=["127.0.0.1"], port=silent.getsockname()[1], tls="implicit")
    assert "firewall" in advice, why


def test_a_certificate_that_nobody_vouches_for(probe, dovecot):
    server = dovecot.as_config("implicit", None)
    server.pop("ca_file", None)
    advice, why = probe(**server)
    assert "certificate verify failed" in why
    assert "imap.ca_file" in advice


def test_a_server_by_another_name_than_its_certificate_s(probe, own_dovecot, other_certificate, ca):
    server = own_dovecot(certificate=other_certificate).as_config("implicit", ca.certificate)
    advice, why = probe(**server)
    assert "pop.other.example" in why, "what it is for"
    assert advice == "write a name that the certificate is for into imap.servers"


def test_tls_at_a_port_without(probe, dovecot, ca):
    plain = dovecot.as_config("none", ca.certificate)
    advice, why = probe(**plain | {"tls": "implicit", "ca_file": str(ca.certificate)})
    assert "spoke no TLS" in why and "imap.tls: starttls" in advice


def test_a_wrong_password(probe, dovecot, ca):
    advice, _ = probe("wrong", **dovecot.as_config("none", ca.certificate))
    assert advice.startswith("try the password at the IMAP server itself")


def test_a_login_of_nobody_s(config):
    done = run("probe", "-c", config().file, "joe@nowhere.example", stdin="x")
    assert done.returncode == 1
    assert "popgate route LOGIN tells why no tenant serves this login" in done.stdout
