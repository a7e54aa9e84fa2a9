"""A contestant of the benchmark: the chat server of the tutorials. One thread waits with select(), and what one recv()
gives is passed on to everybody else. It is to stay what the tutorials teach."""

import select
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(100)
print("Listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)

members = []


def leave(member):
    if member in members:
        members.remove(member)
        member.close()


while True:
    readable, _, _ = select.select([server] + members, [], [])
    for ready in readable:
        if ready is server:
            member, _ = server.accept()
            member.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            members.append(member)
            continue
        try:
            chunk = ready.recv(4096)
        except OSError:
            chunk = b""
        if not chunk:
            leave(ready)
            continue
        for member in list(members):
            if member is not ready:
                try:
                    member.sendall(chunk)
                except OSError:
                    leave(member)
