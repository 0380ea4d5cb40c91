"""A program that never closes its router, and ends as it is told; prints what it answered.

ending_worker.py HOW FOLDER LEDGER_URL
"""

import atexit
import concurrent.futures
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

from crew_router import FeedbackData, Router
from crew_router.testing import ScriptedModel

PRICE = (1.0, 2.0)
router = None


def make(folder, ledger_url):
    """Return a router with a budget over real files."""
    config = {"ledger": {"url": ledger_url}, "state": {"url": f"sqlite:///{folder}/state.db"}, "budgets": {"project": 1}}
    return Router(config, models={"lab:a": ScriptedModel("yes", price=PRICE, usage=(10, 5))}, project="crew")


def ask(number):
    """Answer one request by the router of this process."""
    return router.invoke(f"Question {number}").text


def ask_by_a_router_of_its_own(folder, ledger_url, number):
    """Answer one request in a process that was started afresh."""
    global router  # noqa: PLW0603 - a process of a pool keeps its router so
    router = router or make(folder, ledger_url)
    return ask(number)


def thirty():
    """Answer thirty requests."""
    for number in range(30):
        ask(number)


def plain():
    """Reach the end of the program."""
    thirty()


def system_exit():
    """Leave by sys.exit."""
    thirty()
    sys.exit(3)


def exception():
    """Leave by an exception that nobody catches."""
    thirty()
    raise LookupError("on purpose")


def handled_sigterm():
    """Leave by a signal that the program turns into an exit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    thirty()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


def forked():
    """Fork children that leave by the interpreter's own end, and wait for them."""
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            for number in range(10):
                ask(number)
            sys.exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)


def _spread(context, end):
    pool = context.Pool(3)
    pool.map(ask, range(30), chunksize=1)
    end(pool)
    pool.join()


def pool_closed():
    """Let forked children of a pool answer, and close the pool."""
    _spread(multiprocessing.get_context("fork"), lambda pool: pool.close())


def pool_terminated():
    """Let forked children of a pool answer, and terminate the pool, as leaving its ``with`` block does."""
    _spread(multiprocessing.get_context("fork"), lambda pool: pool.terminate())


def process():
    """Let processes answer that multiprocessing forked."""
    children = [multiprocessing.get_context("fork").Process(target=_ten) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()


def _ten():
    for number in range(10):
        ask(number)


def executor():
    """Let processes of an executor answer."""
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("fork")) as pool:
        list(pool.map(ask, range(30)))


def spawned():
    """Let children answer that were started afresh, each with a router of its own."""
    _afresh("spawn")


def forkserver():
    """Let children of a fork server answer, each with a router of its own."""
    _afresh("forkserver")


def _afresh(method):
    folder, url = sys.argv[2:]
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        list(pool.map(ask_by_a_router_of_its_own, [folder] * 30, [url] * 30, range(30)))


def thread():
    """Answer on a daemon thread, and end while it sleeps."""
    done = threading.Event()

    def work():
        thirty()
        done.set()
        time.sleep(60)

    threading.Thread(target=work, daemon=True).start()
    done.wait(20)


def late_feedback():
    """Be idle for so long that nothing is renewed any more, then report, and be killed."""
    decision = router.invoke("Hi").decision.id
    time.sleep(12)
    for _ in range(3):
        router.record_request_outcome(success=True, model_id="lab:a", quality=1.0)
    router.record_feedback(FeedbackData(decision, user_rating=5))
    time.sleep(2)
    os.kill(os.getpid(), signal.SIGKILL)


def forgotten():
    """Make twenty routers that nobody closes; print threads and open files before and after, and the rows go to the disk."""
    global router  # noqa: PLW0603 - the first one is given up too
    folder, url = sys.argv[2:]
    router = None
    gc.collect()
    _settled()
    before = threading.active_count(), _files()
    for number in range(20):
        made = make(folder, url)
        made.invoke(f"Question {number}")
        del made
    gc.collect()
    _settled()
    sys.stdout.write(f"{before} {(threading.active_count(), _files())}")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def _settled():
    end, last = time.monotonic() + 10, None
    while time.monotonic() < end and last != (last := (threading.active_count(), _files())):
        time.sleep(0.7)


def _files():
    return len(list(Path("/proc/self/fd").iterdir()))


def late_handler():
    """Answer the last ten requests in a handler that runs when everything was closed already."""
    for number in range(20):
        ask(number)


def _ask_ten():
    if sys.argv[1] == "late_handler":
        _ten()


def mid_stream():
    """Be killed by SIGTERM in the middle of a stream."""
    for _ in _slow_stream():
        sys.stdout.write("piece\n")
        sys.stdout.flush()


def _slow_stream():
    folder, url = sys.argv[2:]
    slow = ScriptedModel("so it went on " * 60, price=PRICE, usage=(10, 240), latency_s=6.0)
    config = {"ledger": {"url": url}, "state": {"url": f"sqlite:///{folder}/state.db"}}
    return Router(config, models={"lab:a": slow}, project="crew").stream("A long story")


def in_threads():
    """Be told to end by a signal that the program turns into an exit, while a stream runs on a daemon thread."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=mid_stream, daemon=True).start()
    time.sleep(60)


def suspended():
    """End normally while a stream is half read."""
    chunks = _slow_stream()
    next(chunks)
    globals()["kept"] = chunks


if __name__ == "__main__":
    atexit.register(_ask_ten)  # before the router registers its own, and so called after it
    if sys.argv[1] not in {"spawned", "forkserver", "mid_stream", "in_threads", "suspended"}:
        router = make(*sys.argv[2:])
    globals()[sys.argv[1]]()
