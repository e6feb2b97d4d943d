"""`make chaos`: CHAOS_SECONDS of faults as CHAOS_SEED has them, while members cause CHAOS_RATE events a second.

The seed is drawn, and printed so that it can be given again.
"""

from __future__ import annotations

import logging
import os
import random
import statistics
import sys
import time
from collections.abc import Iterable
from functools import partial

import structlog
from rich.console import Console
from rich.table import Table

from tests.chaos.broker import installed
from tests.chaos.play import RATE, Play, Recovery, Report
from tests.chaos.stage import Servers, Stage

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    if not installed():
        console.print("RabbitMQ is not installed: on Debian and Ubuntu, apt install rabbitmq-server")
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    seconds = float(os.environ.get("CHAOS_SECONDS") or 60)
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
    rate = float(os.environ.get("CHAOS_RATE") or RATE)
    console.print(f"CHAOS_SEED={seed} CHAOS_SECONDS={seconds:g} CHAOS_RATE={rate:g}")
    servers = Servers()
    with servers, Stage(servers, "main", seed=seed) as stage:
        begun = time.monotonic()
        play = Play(stage, seed=seed, rate=rate, tell=partial(tell, begun))
        report = play.run(seconds)
    show(report)
    servers.forget(but_logs=True)
    console.print(f"logs: {servers.folder}")
    return 1 if report.violations else 0


def tell(begun: float, said: str) -> None:
    console.print(f"{time.monotonic() - begun:6.1f} s  {said}")


def show(report: Report) -> None:
    console.print(table_of(report.recoveries))
    console.print(
        f"faults: {report.faults.total()} of {len(report.faults)} kinds; {report.restarts} processes started again"
    )
    console.print(f"events: {report.events}, {report.events / report.seconds:.1f} a second for {report.seconds:.0f} s")
    console.print(f"answers: {report.answers} ({', '.join(f'{n} x {what}' for what, n in report.said.most_common())})")
    for violation in report.violations:
        console.print(f"[bold red]VIOLATED[/] {violation.check}: {violation.count}")
        for evidence in violation.evidence:
            console.print(f"    {evidence}", markup=False)
    console.print("[bold red]the guarantees do not hold[/]" if report.violations else "[green]every guarantee holds[/]")


def table_of(recoveries: Iterable[Recovery]) -> Table:
    """By kind of single fault: how long it lasted, and how long after its end the lag was under a second again."""
    table = Table(
        "single faults", "count", "lasted", "lag back: median", "longest", "allowed", box=None, pad_edge=False
    )
    by_kind: dict[str, list[Recovery]] = {}
    for each in recoveries:
        by_kind.setdefault(each.kind, []).append(each)
    for kind, theirs in sorted(by_kind.items()):
        back = [each.seconds for each in theirs]
        lasted = statistics.median(each.lasted for each in theirs)
        figures = (lasted, statistics.median(back), max(back), theirs[0].allowed)
        table.add_row(kind, str(len(theirs)), *(f"{figure:.1f} s" for figure in figures))
    return table


if __name__ == "__main__":
    sys.exit(main())
