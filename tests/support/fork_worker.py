"""Forks again and again while other threads answer requests; prints how many children did not end.

fork_worker.py FOLDER COUNT
"""

import os
import signal
import sys
import threading
import time

from crew_router import Router, RoutingRequest
from crew_router.testing import ScriptedModel

_PATIENCE_S = 20.0


def main(folder, count):
    """Fork from the main thread, while four others are busy."""
    sys.setswitchinterval(1e-5)  # so that they are stopped inside of anything
    config = {"ledger": {"url": f"sqlite:///{folder}/l.db"}, "state": {"url": f"sqlite:///{folder}/s.db"}, "budgets": {"project": 1000}}
    router = Router(config, models={"lab:a": ScriptedModel("yes"), "lab:b": ScriptedModel("no")}, project="crew")

    def work():
        while True:
            router.invoke("Hi", request=RoutingRequest(session_id=str(threading.get_ident())))

    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.5)
    hung = sum(not child_ends(router) for _ in range(count))
    sys.stdout.write(f"{hung}")
    sys.stdout.flush()
    os._exit(0)


def child_ends(router):
    """Tell whether a child answers a request and ends."""
    pid = os.fork()
    if pid == 0:
        router.invoke("Hi", request=RoutingRequest(session_id="child"))
        os._exit(0)
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
