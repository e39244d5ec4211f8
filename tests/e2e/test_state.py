"""popgate state: the memory of unique-ids is checked from the command line."""

import json
import sqlite3

import pytest
import yaml

from support.gateway import run

# As the first version of popgate made it.
FIRST_SCHEMA = """
CREATE TABLE maildrop (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, login TEXT NOT NULL,
  next_number INTEGER NOT NULL DEFAULT 1, UNIQUE (tenant, login)) STRICT;
CREATE TABLE folder (id INTEGER PRIMARY KEY, maildrop INTEGER NOT NULL REFERENCES maildrop (id),
  name TEXT NOT NULL, UNIQUE (maildrop, name)) STRICT;
CREATE TABLE message (folder INTEGER NOT NULL REFERENCES folder (id),
  uidvalidity INTEGER NOT NULL, uid INTEGER NOT NULL, key TEXT NOT NULL, number INTEGER,
  size INTEGER, arrival INTEGER, missing INTEGER, hidden INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (folder, uidvalidity, uid, key)) STRICT, WITHOUT ROWID;
PRAGMA application_id = 1886351463;
PRAGMA user_version = 1;
INSERT INTO maildrop VALUES (1, 'local', 'anna', 3), (2, 'local', 'bert', 9);
INSERT INTO folder VALUES (1, 1, 'INBOX'), (2, 2, 'INBOX');
INSERT INTO message (folder, uidvalidity, uid, key, number)
  VALUES (1, 0, 0, 'first', 1), (1, 0, 0, 'second', 2), (2, 0, 0, 'first', 8);
"""


@pytest.fixture
def state(directory, gateway_config, maildir_tenant):
    """state(arguments): state check over a database with two maildrops."""
    file = directory / "popgate.yaml"
    database = directory / "check.db"

    def call(*arguments):
        return run("state", "check", "-c", file, *arguments)

    def sql(statements):
        with sqlite3.connect(database) as connection:
            connection.executescript(statements)
        connection.close()

    file.write_text(yaml.safe_dump(gateway_config(
        tenants=[maildir_tenant()], state=f"sqlite:{database}")))
    call.file, call.database, call.sql = file, database, sql
    return call


def test_a_sound_database(state):
    state.sql(FIRST_SCHEMA)
    done = state()
    assert (done.returncode, done.stdout) == (0, "2 maildrops, 0 troubles\n"), done.stderr
    done = state("--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"maildrops": 2, "troubles": 0}


def test_troubles_are_listed(state):
    state.sql(FIRST_SCHEMA + """
        UPDATE message SET number = 1 WHERE folder = 1;
        UPDATE maildrop SET login = 'b"\x1b' WHERE id = 2;
        UPDATE maildrop SET next_number = 8 WHERE id = 2;""")
    done = state()
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "local anna: folder 'INBOX' message second: same unique-id as folder 'INBOX' message "
        "first: 1",
        "local b\"\\x1b: folder 'INBOX' message first: the counter has not come to its unique-id "
        "yet: 8",
        "2 maildrops, 2 troubles"]
    done = state("--json")
    assert done.returncode == 1
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert rows[1]["trouble"].startswith("local b\"\x1b: ")
    assert rows[-1] == {"maildrops": 2, "troubles": 2}


def test_a_damaged_file(state):
    state.sql(FIRST_SCHEMA)
    size = state.database.stat().st_size
    with state.database.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"x" * (size - size // 2))
    done = state()
    assert done.returncode == 1
    assert "malformed" in done.stdout + done.stderr


def test_nothing_to_check(state, directory, gateway_config, maildir_tenant):
    done = state()
    assert done.returncode == 1
    assert "no such database" in done.stderr
    assert not state.database.exists(), "a check makes no database"
    state.file.write_text(yaml.safe_dump(gateway_config(
        tenants=[maildir_tenant()], state="none")))
    assert state().returncode == 2
