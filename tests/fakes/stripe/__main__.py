"""The fake as a process: python -m tests.fakes.stripe --port N --key sk_test_… --webhook-url … --webhook-secret …"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from tests.fakes.stripe import state
from tests.fakes.stripe.fake import Fake
from tests.fakes.stripe.server import Server


def main() -> None:
    """Serve until SIGTERM or SIGINT; with --state, go on from the file and keep it up to date."""
    given = _arguments()
    fake = Fake(given.key, seed=given.seed)
    if given.state:
        state.load(fake, given.state)
    if given.webhook_url:
        fake.webhooks.add_endpoint(given.webhook_url, given.webhook_secret)
    fake.events.send_rest()
    server = Server(fake, given.port)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake.start()
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    seen = fake.changes
    while not over.wait(state.EVERY):
        if given.state and fake.changes != seen:
            seen = fake.changes
            state.save(fake, given.state)
    fake.stop()
    server.stopping.set()
    server.shutdown()
    if given.state:
        state.save(fake, given.state)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.stripe", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free, told on standard output")
    parser.add_argument("--key", required=True)
    parser.add_argument("--webhook-url")
    parser.add_argument("--webhook-secret", default="whsec_stand_in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="a file to go on from and to keep up to date")
    return parser.parse_args()


if __name__ == "__main__":
    main()
