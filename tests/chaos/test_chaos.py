"""The short form of `make chaos`: a minute of faults, and every guarantee still holds.

How long recovery takes says as much about the machine as about us: it is judged by `make chaos`, and told here.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.chaos.play import IN_TIME, Play
from tests.chaos.stage import Servers, Stage

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq]
RATE = 20.0  # events a second: what a busy machine can follow, too


def test_a_minute_of_faults_breaks_no_guarantee(servers: Servers):
    seconds = float(os.environ.get("CHAOS_SECONDS") or 60)
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
    with Stage(servers, "main", seed=seed) as stage:
        report = Play(stage, seed=seed, rate=RATE).run(seconds)
    broken = [each for each in report.violations if each.check != IN_TIME]
    said = f"CHAOS_SEED={seed} {report.faults} {report.recoveries} logs: {servers.keep_logs(broken)}"
    assert broken == [], said
    assert report.events > 3 * seconds, said
    assert report.faults.total() > seconds / 6, said
