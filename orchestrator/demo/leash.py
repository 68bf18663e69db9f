"""A child's promise to end when whoever began it is gone, however that happened."""

import os
import signal
import sys
import threading


def hold() -> None:
    """End this process as SIGTERM does, once standard input, the other end of which our parent holds, is closed."""
    threading.Thread(target=_wait, name="leash", daemon=True).start()


def _wait() -> None:
    # Read without the interpreter's buffer, whose lock would be held at exit.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
