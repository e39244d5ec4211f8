"""Limits: sessions in all, per address, per user; each refusal has a text and ends."""

import contextlib
import os
import resource
import signal

import pytest

from conftest import LOGIN
from support.gateway import PASSWORD


def greeting(served, **options) -> str:
    with served.connect(greet=False, **options) as client:
        return client.reply()


def admitted(served):
    """A session, once the slot of one that ended is free: until then the refusal is a clear one."""
    while True:
        client = served.connect()
        if client.greeting.startswith("+OK"):
            return client.login(LOGIN, PASSWORD)
        assert client.greeting.startswith("-ERR [SYS/TEMP] ")
        client.close()


def test_sessions_in_all(local):
    served = local(limits={"sessions": 2})
    with served.session() as one, served.session(source="127.0.0.2") as two:
        with served.connect(greet=False, source="127.0.0.3") as third:
            assert third.reply().startswith("-ERR [SYS/TEMP] ")
            third.closed()
        one.ok("NOOP")
        two.ok("NOOP")
        one.quit()
        with admitted(served) as next_one:
            next_one.quit()


def test_sessions_in_all_count_over_all_workers(local):
    served = local(workers=2, limits={"sessions": 4})
    clients = [served.session() for _ in range(4)]
    assert greeting(served).startswith("-ERR ")
    for client in clients:
        client.quit()


def test_sessions_per_address(local):
    served = local(limits={"sessions_per_address": 2})
    with served.session() as one, served.session():
        assert greeting(served).startswith("-ERR [SYS/TEMP] ")
        assert greeting(served, source="127.0.0.2").startswith("+OK")
        one.quit()


def test_who_comes_when_descriptors_ran_out_is_told(local):
    """The limit of open files is below limits.sessions: nobody waits for a greeting in vain."""
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    served = local(options={"preexec_fn": few_files})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect(greet=False)) for _ in range(100)]
        greetings = [client.reply() for client in clients]
        assert {line[:15] for line in greetings} == {"+OK pop.test PO", "-ERR [SYS/TEMP]"}
        served.gateway.wait("no session for who connects")
    with admitted(served) as client:
        client.quit()


def test_refusal_on_the_tls_listener_comes_under_tls(local):
    served = local(limits={"sessions": 1})
    with served.session():
        assert greeting(served, listener="pop3s", tls=served.tls).startswith("-ERR [SYS/TEMP] ")


def test_sessions_per_user(either):
    served = either(tenant={"sessions_per_user": 2})
    with served.session() as one, served.session():
        with served.connect() as third:
            third.ok(f"USER {served.login}")
            answer = third.err(f"PASS {served.password}")
            assert answer.startswith(("[IN-USE] ", "[SYS/TEMP] ")), answer
        one.quit()
    served.gateway.wait("session closed", 1, login=served.login)


def test_slots_of_a_killed_worker_are_given_back(local):
    served = local(limits={"sessions": 1})
    client = served.session()
    (worker,) = served.gateway.workers()
    os.kill(worker, signal.SIGKILL)
    client.rest()
    client.close()
    with admitted(served) as again:
        again.quit()


def test_sessions_that_never_log_in_give_their_slots_back(local):
    served = local(limits={"sessions": 3}, timeouts={"login": "1s"})
    clients = [served.connect() for _ in range(3)]
    for client in clients:
        client.rest()
    with admitted(served) as client:
        client.quit()


@pytest.mark.parametrize("part", ["user", "address"])
def test_login_failures_delay_the_next_answer_not_others(local, maildir_tenant, part):
    """The delay of one address or login holds nobody else up: no time is asserted, the other's
    session runs to its end while the failure still waits for its answer."""
    maildir_tenant.add_user("ann@local.example")
    maildir_tenant.maildir("ann")
    served = local(limits={"failure_delay": "15s"})
    with served.connect() as slow:
        slow.ok(f"USER {LOGIN}")
        slow.send(b"PASS sEcReT wrong\r\n")
        served.gateway.wait("login failed", login=LOGIN)
        login = LOGIN if part == "address" else "ann@local.example"
        with served.connect(source="127.0.0.7") as other:
            other.login(login, PASSWORD).quit()
        slow.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            slow.socket.recv(1)
