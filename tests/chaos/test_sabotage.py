"""The harness notices when a guarantee is missing: each is switched off once, with every layer that would hide it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.play import CALM_S, EVERYDAY, Play
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.stage import Servers, Stage

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq]
SECONDS = 6.0
NOTICED_WITHIN_S = 60.0
RECEIPTS = "receipts = events x consumers"
RUSH = {"want_a_room": 1.0}
IMPATIENT = {**EVERYDAY, "ask_again": 5.0}


@dataclass(frozen=True, slots=True)
class Trial:
    """Which checks may notice, and what is done so that they can."""

    noticed_by: set[str]
    faults: tuple[str, ...] = ()
    weights: tuple[tuple[str, float], ...] = tuple(EVERYDAY.items())
    only: tuple[str, ...] = ("tally",)


TRIALS = {
    "receipts": Trial({"one effect per event", "effects in the order of their causes"}),
    "confirmations": Trial({RECEIPTS}, ("broker: a queue purged",)),
    "places": Trial({"no unit occupied twice", "no unit booked twice"}, weights=tuple(RUSH.items())),
    "keys": Trial(
        {"no member met an answer that nothing excuses", "every booking was told, every told booking is there"},
        ("died between commit and answer",), tuple(IMPATIENT.items()),
    ),
    "acknowledgements": Trial({RECEIPTS}, ("frozen, then kill -9: a consumer",)),
    "dual write": Trial(
        {"sequences without gap", "every change of a booking has its event"}, ("died between commit and answer",)
    ),
    "keys of what is sent": Trial(
        {"no mail is owed twice", "no delivery for an event twice"}, only=("notifications", "webhooks")
    ),
    "claims": Trial({"no webhook is sent by two at once"}, only=("webhooks",)),
}  # fmt: skip


def test_every_sabotage_is_tried():
    assert set(TRIALS) == set(SABOTAGES)


@pytest.mark.parametrize("name", TRIALS)
def test_the_harness_notices_what_is_missing(name: str, servers: Servers, capsys: pytest.CaptureFixture[str]):
    trial = TRIALS[name]
    faults = [fault for fault in FAULTS if fault.kind in trial.faults]
    with Stage(servers, name.replace(" ", "_"), seed=1, only=trial.only, sabotage=name) as stage:
        stage.suffer(*SABOTAGES[name].statements)
        play = Play(stage, seed=1, faults=faults, weights=dict(trial.weights), worst_s=CALM_S)
        begun = time.monotonic()
        report = play.run(SECONDS, quiet_within=SECONDS)
        took = time.monotonic() - begun
    noticed = report.checks & trial.noticed_by
    assert noticed, (report.events, report.faults, report.violations)
    with capsys.disabled():
        sys.stdout.write(f"\nwithout {name}: {' and '.join(sorted(noticed))} ({took:.0f} s) ")
    assert took < NOTICED_WITHIN_S
