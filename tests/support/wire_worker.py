"""One process of a test over the wire: it waits for a line on its input, asks once, and says which model answered.

wire_worker.py SERVER_URL STATE_URL
"""

import sys

from crew_router import Router, RoutingRequest

HELLO = "Say hello."
FIRST = RoutingRequest(force_model="one:a")


def router_of(server_url, state_url):
    """Return a router over the models a and b of a fault server whose breakers open for a second."""
    entry = {"provider": "openai", "base_url": server_url, "price": {"input": 1.0, "output": 2.0}}
    models = {
        "one:a": {**entry, "model": "a", "api_key": "k1", "quality": 0.9},
        "two:b": {**entry, "model": "b", "api_key": "k2", "quality": 0.5},
    }
    config = {"registry": "none", "models": models, "breaker": {"open_s": 1.0}, "attempts": {"timeout_s": 2.0}, "project": "probe"}
    return Router(config, ledger_url="sqlite://", state_url=state_url)


def say(text):
    """Tell the test."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with router_of(*sys.argv[1:]) as router:
        say("ready")
        sys.stdin.readline()
        say(router.invoke(HELLO, request=FIRST).model)
