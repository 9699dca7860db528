# SPDX-License-Identifier: MIT
"""Runs journald as the system does: the socket belongs to us, so what was sent to it outlives a
restart. SIGHUP restarts journald, SIGTERM ends it with us. Its first argument is the program."""
import os
import signal
import socket
import sys

PATH = "/run/systemd/journal/socket"


def start(listener):
    """journald with the socket as its descriptor 3."""

    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        os.dup2(listener.fileno(), 3)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execv(sys.argv[1], sys.argv[1:])
    return pid


def end(journald):
    os.kill(journald, signal.SIGTERM)
    os.waitpid(journald, 0)


def main():
    wanted = {signal.SIGHUP, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    if os.path.exists(PATH):
        os.unlink(PATH)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if listener.fileno() == 3:
        listener = socket.socket(fileno=os.dup(3))
    listener.bind(PATH)
    os.chmod(PATH, 0o666)
    journald = start(listener)
    while signal.sigwait(wanted) == signal.SIGHUP:
        end(journald)
        journald = start(listener)
    end(journald)


if __name__ == "__main__":
    main()
