"""Completion of verbs, options and values, in the shells that do it."""

import os
import pty
import select
import shlex
import shutil
import subprocess
import time

import pytest
from support.gateway import BINARY, TOP
from support.pop3 import TIMEOUT

COMPLETION = TOP / "deploy/completion"


@pytest.fixture
def folder(directory, sha512):
    """Where the command lines are typed: with a configuration, a users file, popgate in the PATH."""
    (directory / "popgate.yaml").write_text(
        "listeners:\n"
        "  - name: pop3\n    listen: ['[::]:110']\n"
        "  # name: not-this\n"
        "  - {name: 'pop3s', listen: ['[::]:995']}\n"
        "tenants:\n  - name: acme\n")  # fmt: skip
    (directory / "other.yaml").write_text("listeners:\n- name: elsewhere\n")
    (directory / "local.users").write_text(f"# ours\nann@a:{sha512}\njoe@a:{sha512}\n")
    return directory


def environment() -> dict:
    return {**os.environ, "PATH": f"{BINARY.parent}:{os.environ['PATH']}", "TERM": "dumb",
            "LC_ALL": "C.UTF-8"}


def in_bash(line: str, folder) -> list[str]:
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    script = (f"source {COMPLETION}/popgate.bash; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
              f"COMP_CWORD={len(words) - 1}; _popgate; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = subprocess.run(["bash", "--norc", "-c", script], cwd=folder, env=environment(),
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(filter(None, done.stdout.split("\n")))


# Where compadd is called, what it would offer is written to a file, and nothing is shown.
RECORDER = """
autoload -Uz compinit; compinit -u -D
compadd() {
    local -a offered
    [[ ${@[(I)-[OAD]]} -gt 0 ]] || builtin compadd -O offered "$@"
    print -rl -- $offered >>offered
    builtin compadd "$@"
}
finish() { zle list-choices; print -r >>listed; zle kill-buffer; }
zle -N finish
bindkey '^X' finish
"""


def in_zsh(line: str, folder) -> list[str]:
    """What zsh offers when the line is typed on a terminal."""
    (folder / "recorder").write_text(f"fpath=({COMPLETION} $fpath)\n{RECORDER}")
    (folder / "offered").touch()
    master, slave = pty.openpty()
    shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave,
                             cwd=folder, env=environment(), start_new_session=True)
    os.close(slave)
    os.write(master, f"source ./recorder\n{line}\x18".encode())
    end = time.monotonic() + TIMEOUT
    try:
        # What it shows is taken off the terminal, so that it never waits for that.
        while not (folder / "listed").exists():
            assert time.monotonic() < end, (folder / "offered").read_text()
            if select.select([master], [], [], 0.05)[0]:
                os.read(master, 65536)
    finally:
        shell.kill()
        shell.wait()
        os.close(master)
    return sorted(set(filter(None, (folder / "offered").read_text().split("\n"))))


SHELLS = {"bash": in_bash, "zsh": in_zsh}
CASES = {
    "popgate ": {"serve", "check", "route", "probe", "health", "users", "who"},
    "popgate r": {"route"},
    "popgate --": {"--help", "--version"},
    "popgate check -": {"-c", "--config", "-j", "--json", "-q", "--quiet", "-h", "--help"},
    "popgate route --li": {"--listener"},
    "popgate users ": {"set", "remove", "list"},
    "popgate state ": {"check"},
    "popgate uidl ": {"list", "export", "import", "harvest", "verify"},
    "popgate uidl import --": {
        "--config", "--replace", "--dry-run", "--help", "--listener", "--server-name", "--address"},
    "popgate uidl harvest -u x -S y -O oth": {"other.yaml"},
    "popgate users set --s": {"--scram"},
    "popgate uidl ex": {"export"},
    "popgate uidl list --": {"--all", "--json", "--listener", "--server-name", "--address",
                             "--config", "--help"},
    "popgate uidl harvest -S a:995 --ou": {"--output"},
    "popgate uidl harvest --tls ": {"implicit", "starttls", "none"},
    "popgate uidl import loc": {"local.users"},
    "popgate users -f local.users remove ": {"ann@a", "joe@a"},
    "popgate users remove -s -f local.users j": {"joe@a"},
    "popgate route --listener ": {"pop3", "pop3s"},
    "popgate route -c other.yaml --listener ": {"elsewhere"},
    "popgate check -c oth": {"other.yaml"},
    "popgate serve x": set(),
}


@pytest.mark.parametrize("line", CASES)
@pytest.mark.parametrize("shell", SHELLS)
def test_completion(shell, line, folder):
    offered = set(SHELLS[shell](line, folder))
    assert CASES[line] <= offered if line == "popgate " else offered == CASES[line]


def test_bash_loads_it_when_it_is_asked_for(folder):
    """As bash-completion finds it: by the command's name, below its folder."""
    data = folder / "data/bash-completion/completions"
    data.mkdir(parents=True)
    shutil.copy(COMPLETION / "popgate.bash", data / "popgate")
    script = "source /usr/share/bash-completion/bash_completion; _completion_loader popgate; complete -p popgate"
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True,
                          env=environment() | {"XDG_DATA_DIRS": str(folder / "data")})
    assert done.stdout.strip() == "complete -F _popgate popgate"
