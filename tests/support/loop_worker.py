"""A program whose event loop is watched while a router works on it; prints the longest that the loop stood still, in seconds.

loop_worker.py WHAT FOLDER
"""

import asyncio
import contextlib
import fcntl
import importlib
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

from crew_router import Router, RoutingRequest
from crew_router.testing import ScriptedModel

PRICE = {"input": 1, "output": 2}


class Heartbeat:
    """Beats every few milliseconds, and keeps the longest time between two beats beyond that.

    The time that this thread could have run and the machine ran others instead is left out.
    """

    longest_s = 0.0

    async def beat(self):
        """Beat until it is cancelled."""
        waits = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        last = time.perf_counter() - waited_s(waits)
        while True:
            await asyncio.sleep(0.002)
            now = time.perf_counter() - waited_s(waits)
            self.longest_s, last = max(self.longest_s, now - last - 0.002), now


def waited_s(file):
    """Return how long this thread has waited for a processor."""
    return int(os.pread(file, 100, 0).split()[1]) / 1e9


@contextlib.asynccontextmanager
async def watched():
    """Watch the loop, and print its longest stall, with the one that a busy thread of pure Python causes on this machine."""
    machine_s = await longest_stall_s(asyncio.to_thread(spin))
    heart = Heartbeat()
    beating = asyncio.create_task(heart.beat())
    await asyncio.sleep(0.05)
    yield
    await asyncio.sleep(0.05)
    beating.cancel()
    sys.stdout.write(json.dumps({"longest_s": heart.longest_s, "machine_s": machine_s}) + "\n")


async def longest_stall_s(work):
    """Return the longest stall while something is awaited."""
    heart = Heartbeat()
    beating = asyncio.create_task(heart.beat())
    await work
    beating.cancel()
    return heart.longest_s


def spin():
    """Be busy for a second."""
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        sum(range(100))


def hanging(count):
    """Return the addresses of servers that take a connection and never answer."""
    urls = []
    for _ in range(count):
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        urls.append(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
        globals().setdefault("_kept", []).append(listening)
    return urls


def stores(folder):
    """Return settings of stores in files."""
    return {"ledger": {"url": f"sqlite:///{folder}/ledger.db"}, "state": {"url": f"sqlite:///{folder}/state.db"}}


async def first(folder):
    """Answer the first requests of a process."""
    importlib.import_module("numpy")  # its C parts keep every thread waiting, whoever imports them
    router = Router(stores(folder), models={"lab:a": ScriptedModel("yes")}, project="crew")
    async with watched():
        for _ in range(3):
            await router.ainvoke("Hi")
            await router.aselect_model(RoutingRequest(task_description="Hi"))
            _ = [chunk async for chunk in router.astream("Hi")]


async def servers(folder):
    """Answer while three local servers hang."""
    importlib.import_module("langchain_openai")  # as above
    entries = {f"vllm:m{number}": {"base_url": url, "price": PRICE} for number, url in enumerate(hanging(3))}
    config = {**stores(folder), "registry": "none", "models": entries}
    router = Router(config, project="crew")
    async with watched():
        for _ in range(2):
            await router.aselect_model(RoutingRequest(task_description="Hi"))
            with contextlib.suppress(Exception):
                await router.ainvoke("Hi", request=RoutingRequest(deadline_s=0.5))


async def locked(folder):
    """Answer while another process holds the lock of the ledger."""
    router = Router(stores(folder), models={"lab:a": ScriptedModel("yes")}, project="crew")
    hold(folder)
    async with watched():
        begun = time.perf_counter()
        assert (await router.ainvoke("Hi")).text == "yes"
        assert (await router.ainvoke("Hi")).text == "yes"
        took_s = time.perf_counter() - begun
    sys.stdout.write(json.dumps({"took_s": took_s}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # nothing here waits for the lock


def slow_package(folder):
    """Write a package that takes a second to be imported."""
    Path(folder, "slow_provider.py").write_text("import time\ntime.sleep(1)\n", encoding="utf-8")


def hold(folder):
    """Hold the lock that every writer of the ledger takes, as another process would."""
    descriptor = os.open(Path(folder, "ledger.db.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)


async def package(folder):
    """Answer by a model whose package takes a second to be imported, and fall back to another such."""
    slow_package(folder)
    sys.path.insert(0, str(folder))

    from crew_router_langchain import transport

    original = transport.LangChainTransport.chat_model

    def chat_model(self, model):
        import slow_provider  # noqa: F401 - as a provider's own package

        return original(self, model)

    transport.LangChainTransport.chat_model = chat_model
    config = {**stores(folder), "registry": "none", "models": {"openai:a": {"api_key": "sk-none", "base_url": "http://127.0.0.1:9/v1"}}}
    router = Router(config, project="crew")
    async with watched():
        with contextlib.suppress(Exception):
            await router.ainvoke("Hi", request=RoutingRequest(deadline_s=3))


async def look_once(folder):
    """Look for hanging servers from eight threads at once; print how long it took."""
    entries = {f"vllm:m{number}": {"base_url": url, "price": PRICE} for number, url in enumerate(hanging(3))}
    router = Router({**stores(folder), "registry": "none", "models": entries}, project="crew")
    router.select_model(RoutingRequest(task_description="Hi"))

    def ask():
        with contextlib.suppress(Exception):
            router.invoke("Hi", request=RoutingRequest(deadline_s=0.1, fallbacks=False))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"took_s": time.perf_counter() - begun}) + "\n")


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](sys.argv[2]))
