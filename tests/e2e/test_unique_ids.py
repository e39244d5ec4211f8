"""Unique-ids never change and never come back."""

import re
import threading

from support import corpus
from support.scripted_imap import ScriptedImap
from support.pop3 import Pop3


def messages(n, start=1):
    return [corpus.message(f"number {i}") for i in range(start, start + n)]


def ids_of(served):
    with served.session() as client:
        ids = client.ids()
        for number, unique in ids.items():
            assert client.ok(f"UIDL {number}") == f"{number} {unique}"
            assert re.fullmatch(r"[\x2e-\x7e]{1,70}", unique)
        client.quit()
    return ids


def test_ids_are_decimal_distinct_and_grow(either):
    served = either(messages(20))
    ids = ids_of(served)
    values = [int(unique) for unique in ids.values()]
    assert len(set(values)) == 20
    assert values == sorted(values)


def test_ids_are_the_same_in_every_session(either):
    served = either(messages(5))
    assert ids_of(served) == ids_of(served)


def test_ids_outlive_a_restart_and_a_kill(either):
    served = either(messages(5))
    before = ids_of(served)
    served.gateway.stop()
    served.gateway.start()
    assert ids_of(served) == before
    served.gateway.kill()
    served.gateway.start()
    assert ids_of(served) == before


def test_identical_messages_have_different_ids(either):
    served = either([corpus.message("twin")] * 3)
    assert len(set(ids_of(served).values())) == 3


def test_imap_ids_are_uidvalidity_and_uid(imap):
    served = imap(messages(5))
    served.user.client().logout()
    served.user.expunge(2)
    validity = served.user.uidvalidity()
    assert list(ids_of(served).values()) == [str((validity << 32) + uid) for uid in (1, 3, 4, 5)]


def test_imap_ids_need_no_state(imap):
    served = imap(messages(3), state="none")
    before = ids_of(served)
    validity = served.user.uidvalidity()
    assert list(before.values()) == [str((validity << 32) + uid) for uid in (1, 2, 3)]


def test_a_maildir_id_is_never_given_twice(local):
    """Not even when the newest message went, the gateway was restarted, the name came again."""
    served = local(messages(3))
    spent = set(ids_of(served).values())
    with served.session() as client:
        for n in (1, 2, 3):
            client.ok(f"DELE {n}")
        client.quit()
    for path, message in zip(range(1, 4), messages(3)):
        served.maildir.deliver(message, name=f"{1_700_000_000 + path}.M{path}P1.test")
    again = set(ids_of(served).values())
    assert len(again) == 3 and not again & spent
    served.gateway.stop()
    served.gateway.start()
    for path in served.maildir.files():
        path.unlink()
    assert ids_of(served) == {}
    served.maildir.deliver_all(messages(3, 10))
    third = set(ids_of(served).values())
    assert len(third) == 3 and not third & (spent | again)
    assert min(map(int, third)) > max(map(int, spent | again))


def test_a_maildir_message_keeps_its_id_when_its_name_gets_flags(local):
    served = local(messages(3))
    before = ids_of(served)
    for path in served.maildir.files():
        path.rename(served.maildir.path / "cur" / (path.name + ":2,S"))
    assert ids_of(served) == before


def test_ids_do_not_move_when_an_older_message_goes(either):
    served = either(messages(4))
    before = ids_of(served)
    with served.session() as client:
        client.ok("DELE 1")
        client.quit()
    assert list(ids_of(served).values()) == [before[n] for n in (2, 3, 4)]


def test_maildir_ids_without_state_come_from_the_name(local):
    served = local(messages(3), state="none")
    before = ids_of(served)
    assert len(set(before.values())) == 3
    served.gateway.stop()
    served.gateway.start()
    assert ids_of(served) == before
    for path in served.maildir.files():
        path.rename(served.maildir.path / "cur" / (path.name + ":2,RS"))
    assert ids_of(served) == before
    served.maildir.files()[0].unlink()
    assert list(ids_of(served).values()) == [before[2], before[3]]


def test_odd_maildir_names_give_ids_in_the_allowed_octets(local):
    served = local(state="none")
    names = ["x" * 200, "1700000000.with space!", "ü.M1P1.test", "1700000001.a,S=1"]
    for n, name in enumerate(names):
        served.maildir.deliver(corpus.message(f"odd {n}"), name=name)
    assert len(set(ids_of(served).values())) == 4


def test_many_sessions_at_first_sight_agree(local):
    """Eight logins at once on a maildrop that the registry has never seen."""
    served = local(messages(200), workers=2)
    found = []

    def look():
        with served.session() as client:
            found.append(client.ids())
            client.quit()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(ids == found[0] for ids in found)
    assert len(set(found[0].values())) == 200


def test_ids_of_two_users_do_not_meet(local, maildir_tenant):
    served = local(messages(2))
    maildir_tenant.add_user("ann@local.example")
    maildir_tenant.maildir("ann").deliver_all(messages(2))
    assert len(ids_of(served)) == 2
    served.login = "ann@local.example"
    assert len(ids_of(served)) == 2


def test_the_registry_is_not_written_when_it_cannot_be(local, maildir_tenant, directory):
    """No durable id, no login: an id that was shown and forgotten might come back."""
    served = local(messages(2))
    before = ids_of(served)
    served.maildir.deliver_all(messages(1, 5))
    state = directory / "state.db"
    served.gateway.stop()
    kept = {part: part.read_bytes() for part in directory.glob("state.db*")}
    for part in kept:
        part.unlink()
    state.write_bytes(b"this is no database, it is something else entirely " * 100)
    broken = served.gateway
    broken.expected_status = 2
    broken.launch()
    assert broken.wait_end() == 2
    assert "state.db" in broken.text()
    broken.process = None
    broken.expected_status = 0
    for part in directory.glob("state.db*"):
        part.unlink()
    for part, content in kept.items():
        part.write_bytes(content)
    broken.start()
    after = ids_of(served)
    assert {n: after[n] for n in before} == before


def test_uid_beyond_the_first_session_keeps_growing_with_the_server(gateway):
    server = ScriptedImap(messages(3), uidvalidity=4_294_967_295)
    server.messages = {4_294_967_290 + n: m for n, m in enumerate(messages(3))}
    server.uidnext = 4_294_967_293
    running = gateway(tenants=[{"name": "t", "imap": server.as_config()}])
    with Pop3(running.port()).login("joe@x.example", "sEcReT") as client:
        assert list(client.ids().values()) == [
            str((4_294_967_295 << 32) + 4_294_967_290 + n) for n in range(3)]
        client.quit()
    server.close()
