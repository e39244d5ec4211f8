"""Many gateways on one PostgreSQL server: every message has one id, whatever dies."""

import threading

import pytest

from support import corpus
from support.gateway import PASSWORD, Gateway, run
from support.pop3 import Closed, Pop3
from support.postgresql import Database, PostgreSQL

LOGIN = "joe@local.example"


def messages(n, start=1):
    return [corpus.message(f"number {i}") for i in range(start, start + n)]


@pytest.fixture
def database(postgresql):
    yield postgresql.new_database()
    if postgresql.process is None:
        postgresql.start()


@pytest.fixture
def pair(gateway, maildir_tenant, database, ca):
    """pair(): two gateways of the same users, on one database."""

    def start(**changes):
        state = database.uri(ca.certificate)
        return [gateway(tenants=[maildir_tenant()], state=state, **changes) for _ in range(2)]

    return start


def log_in(gateway):
    return Pop3(gateway.port()).login(LOGIN, PASSWORD)


def ids_of(gateway):
    with log_in(gateway) as client:
        ids = list(client.ids().values())
        client.quit()
    return ids


def refusal(gateway):
    """What a login is refused with."""
    with Pop3(gateway.port()) as client:
        client.ok(f"USER {LOGIN}")
        return client.command(f"PASS {PASSWORD}")


def log_in_if_possible(gateway):
    try:
        refusal(gateway)
    except (Closed, OSError):
        pass


def wait_for_login(gateway):
    """As a mail client does: again, until it is let in."""
    while True:
        with Pop3(gateway.port()) as client:
            client.ok(f"USER {LOGIN}")
            reply = client.command(f"PASS {PASSWORD}")
            if reply.startswith("+OK"):
                return list(client.ids().values())
            assert reply.startswith("-ERR [SYS/TEMP]"), reply


def test_two_gateways_agree(pair, maildir_tenant):
    maildir = maildir_tenant.maildir()
    maildir.deliver_all(messages(20))
    one, other = pair()
    ids = ids_of(one)
    assert len(set(ids)) == 20
    assert ids_of(other) == ids
    maildir.deliver_all(messages(5, 30))
    more = ids_of(other)
    assert more[:20] == ids and len(set(more)) == 25
    assert ids_of(one) == more
    with log_in(one) as client:
        client.ok("DELE 1")
        client.quit()
    assert ids_of(other) == more[1:]


def test_first_logins_at_once_give_each_message_one_id(pair, maildir_tenant):
    maildir = maildir_tenant.maildir()
    maildir.deliver_all(messages(200))
    gateways = pair(workers=2)
    seen = []

    def first(gateway):
        seen.append(ids_of(gateway))

    threads = [threading.Thread(target=first, args=(gateways[n % 2],)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 12 and len(set(seen[0])) == 200
    assert all(ids == seen[0] for ids in seen)
    assert ids_of(gateways[0]) == seen[0]


def test_the_database_goes_and_comes_back(pair, maildir_tenant, database):
    maildir_tenant.maildir().deliver_all(messages(3))
    one, other = pair()
    ids = ids_of(one)
    for end in (database.server.stop, database.server.kill):
        end()
        for gateway in (one, other):
            assert refusal(gateway).startswith("-ERR [SYS/TEMP]")
        assert "localhost" in one.text()
        database.server.start()
        assert wait_for_login(one) == ids
        assert wait_for_login(other) == ids


def test_a_silent_database_does_not_hold_everybody_up(pair, maildir_tenant, database):
    maildir_tenant.maildir().deliver_all(messages(3))
    one, _ = pair()
    ids = ids_of(one)
    database.server.halt()
    try:
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(refusal(one))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(replies) == 8
        assert all(reply.startswith("-ERR [SYS/TEMP]") for reply in replies)
    finally:
        database.server.go_on()
    assert wait_for_login(one) == ids


def test_everything_is_killed_again_and_again(pair, maildir_tenant, database):
    maildir = maildir_tenant.maildir()
    gateways = pair()
    shown = {}
    for n in range(6):
        maildir.deliver_all(messages(30, 100 * n))
        logins = [threading.Thread(target=log_in_if_possible, args=(g,)) for g in gateways]
        for login in logins:
            login.start()
        database.server.kill()
        gateways[n % 2].kill()
        for login in logins:
            login.join()
        database.server.start()
        gateways[n % 2].start()
        ids = wait_for_login(gateways[1 - n % 2])
        assert wait_for_login(gateways[n % 2]) == ids
        now = dict(zip([path.name.partition(":")[0] for path in maildir.files()], ids))
        assert len(set(ids)) == len(ids) == 30 * (n + 1)
        for name, unique in shown.items():
            assert now[name] == unique
        shown = now


@pytest.fixture
def own_postgresql(directory, certificate):
    """own_postgresql(primary=…): one that this test may lose."""
    running = []

    def start(**options) -> PostgreSQL:
        server = PostgreSQL(directory / f"postgresql{len(running)}", certificate, **options)
        running.append(server)
        return server.start()

    yield start
    for server in running:
        server.end()


def test_a_standby_takes_over(gateway, maildir_tenant, own_postgresql, ca):
    maildir = maildir_tenant.maildir()
    maildir.deliver_all(messages(3))
    primary = own_postgresql()
    database = primary.new_database()
    standby = own_postgresql(primary=primary)
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.sql("SELECT pg_reload_conf()")
    one = gateway(tenants=[maildir_tenant()],
                  state=database.uri(ca.certificate, standby=standby))
    ids = ids_of(one)
    primary.kill()
    assert refusal(one).startswith("-ERR [SYS/TEMP]")
    standby.sql("SELECT pg_promote()")
    assert wait_for_login(one) == ids
    maildir.deliver_all(messages(3, 10))
    more = wait_for_login(one)
    assert more[:3] == ids and len(set(more)) == 6


def test_a_standby_that_lacks_the_last_writes_gives_no_id_again(
        gateway, maildir_tenant, own_postgresql, ca):
    maildir = maildir_tenant.maildir()
    maildir.deliver_all(messages(3))
    primary = own_postgresql()
    database = primary.new_database()
    one = gateway(tenants=[maildir_tenant()], state=database.uri(ca.certificate))
    kept = ids_of(one)
    standby = own_postgresql(primary=primary)
    standby.end()
    maildir.deliver_all(messages(3, 10))
    lost = ids_of(one)[3:]
    one.stop()
    primary.kill()
    standby.start()
    standby.sql("SELECT pg_promote()")
    for path in maildir.files()[3:]:
        path.unlink()
    maildir.deliver_all(messages(3, 20))
    behind = Database(standby, database.name)
    other = gateway(tenants=[maildir_tenant()], state=behind.uri(ca.certificate))
    now = ids_of(other)
    assert now[:3] == kept
    assert len(now) == 6 and not set(now) & set(lost)
    assert min(map(int, now[3:])) > max(map(int, lost))


def test_tls_to_clients_and_to_the_database(gateway, maildir_tenant, database, ca, tls):
    maildir_tenant.maildir().deliver_all(messages(2))
    running = gateway(tenants=[maildir_tenant()], state=database.uri(ca.certificate))
    for _ in range(3):
        with Pop3(running.port("pop3s"), tls=tls).login(LOGIN, PASSWORD) as client:
            assert len(client.ids()) == 2
            client.quit()
    used = database.sql("SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                        f" WHERE ssl AND datname = '{database.name}' AND usename = 'popgate'")
    assert int(used) > 0


def start_fails(gateway, tenant, state):
    running = gateway(start=False, tenants=[tenant], state=state)
    running.launch()
    running.expected_status = running.wait_end()
    assert running.expected_status != 0
    return running.text()


def test_a_server_that_refuses_is_told_at_the_start(
        gateway, maildir_tenant, database, ca, other_certificate):
    wrong = database.server.write_passfile("wrong", "something else")
    text = start_fails(gateway, maildir_tenant(), database.uri(ca.certificate, passfile=wrong))
    assert "password authentication failed for user" in text and "something else" not in text
    text = start_fails(gateway, maildir_tenant(), database.uri(other_certificate.certificate))
    assert "certificate verify failed" in text
    database.sql("CREATE TABLE popgate_schema AS SELECT 1::bigint AS id, 99::bigint AS version;"
                 "GRANT ALL ON popgate_schema TO popgate")
    text = start_fails(gateway, maildir_tenant(), database.uri(ca.certificate))
    assert "run the newer popgate" in text


def test_check_refuses_a_password_and_does_not_repeat_it(directory, gateway_config):
    file = Gateway(directory, gateway_config(
        state=f"postgresql://popgate:{PASSWORD}@localhost/mail",
        tenants=[{"name": "a", "match": {"domains": ["a.example"]},
                  "imap": {"servers": ["localhost"]}}])).file
    done = run("check", "-c", file)
    assert done.returncode != 0
    assert "passfile=" in done.stderr + done.stdout
    assert PASSWORD not in done.stderr + done.stdout
