"""The stand-in as a process: it keeps its state in a file, and serves several processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import stripe

from tests.fakes.clients import KEY, SECRET, Hook, payment
from tests.fakes.processes import ROOT, free_port, process
from tests.waiting import until

pytestmark = pytest.mark.slow
MODULE = "tests.fakes.stripe"
PAYER = """
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen
body = b"amount=1000&currency=eur&payment_method=pm_card_visa&confirm=true&allowed_payment_method_types[]=card"
for number in range(30):
    headers = {"Authorization": "Bearer " + sys.argv[2], "Idempotency-Key": str(number)}
    try:
        urlopen(Request(sys.argv[1] + "/v1/payment_intents", body, headers), timeout=10).close()
    except HTTPError as problem:
        assert problem.code == 409, problem.read()
"""


def books(port: int) -> Any:
    with urlopen(f"http://127.0.0.1:{port}/_control/books", timeout=5) as answer:
        return json.load(answer)


def client_at(port: int) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": f"http://127.0.0.1:{port}"}, max_network_retries=0)


def test_it_goes_on_where_it_was(tmp_path: Path, hook: Hook) -> None:
    port, state = free_port(), tmp_path / "state.json"
    given = ("--key", KEY, "--webhook-url", hook.url, "--webhook-secret", SECRET, "--state", str(state))
    hook.answers = [500] * 50
    with process(MODULE, *given, port=port):
        intent = client_at(port).v1.payment_intents.create(payment(), options={"idempotency_key": "k"})
        debit = client_at(port).v1.payment_intents.create(payment("pm_sepaDebit_successDelayed"))
        before = books(port)
        until(lambda: hook.got)
    hook.answers.clear()
    hook.got.clear()
    with process(MODULE, *given, port=port):
        client = client_at(port)
        assert books(port) == before
        again = client.v1.payment_intents.create(payment(), options={"idempotency_key": "k"})
        assert again.id == intent.id and again.last_response.headers["Idempotent-Replayed"] == "true"
        assert client.v1.customers.create().id
        assert client.v1.payment_intents.retrieve(debit.id).status == "processing"
        assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 1}).status == "succeeded"
        assert books(port)["differences"] == []
        until(lambda: "payment_intent.processing" in hook.types(), describe="what was not delivered comes")
    assert hook.types()[:3] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_several_processes_charge_each_key_once(tmp_path: Path) -> None:
    port = free_port()
    with process(MODULE, "--key", KEY, port=port):
        command = [sys.executable, "-c", PAYER, f"http://127.0.0.1:{port}", KEY]
        payers = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
        assert [payer.wait(timeout=30) for payer in payers] == [0, 0, 0, 0]
        found = books(port)
    assert len(found["charges"]) == 30 and found["differences"] == []
