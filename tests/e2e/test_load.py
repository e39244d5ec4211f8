"""Many sessions at once in one worker, each reading slowly, in bounded memory."""

import os
import resource
import socket

from support import corpus
from support.gateway import LEAN

SESSIONS = int(os.environ.get("POPGATE_TEST_SESSIONS", "200"))


def test_slow_readers_share_one_worker_in_bounded_memory(either):
    """Each session asks for 2 MB and takes a little at a time; none waits for another."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    message = corpus.large(2_000_000)
    served = either([message], options=LEAN, tenant={"sessions_per_user": 1000})
    with served.session() as client:
        client.retr(1)
        client.quit()
    before = served.gateway.memory()
    clients = []
    for _ in range(SESSIONS):
        client = served.connect()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        clients.append(client.login(served.login, served.password))
    for client in clients:
        client.send(b"RETR 1\r\n")
    for client in clients:
        assert client.reply().startswith("+OK")
    for _ in range(4):
        for client in clients:
            client.socket.recv(1000)
    per_session = (served.gateway.memory() - before) / SESSIONS
    print(f"{per_session / 1024:.0f} KiB per session")
    assert per_session < 600_000, "under ASan; a body of 2 MB is never held whole"
    for client in clients[::50]:
        client.close()
    with served.session() as other:
        assert other.retr(1) == message, "a newcomer is served meanwhile"
        other.quit()
    for client in clients:
        client.close()
    served.gateway.wait("session closed", SESSIONS + 2)
    with served.connect() as client:
        client.login(served.login, served.password).quit()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
