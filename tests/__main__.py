"""All tests, as `make test` runs them: side by side what can be, then alone what breaks or times whole processes.

What is given on the command line goes to pytest, both times. Exits 1 when either had a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys

MOST_AT_ONCE = 4  # each has a PostgreSQL of its own
NOTHING_COLLECTED = 5
SIDE_BY_SIDE = ["-m", "not alone"]
ALONE = ["-m", "alone"]


def main() -> int:
    workers = min(os.cpu_count() or 1, MOST_AT_ONCE)
    spread = ["-n", str(workers), "--dist", "worksteal"] if workers > 1 else []
    ended = [_pytest(*spread, *SIDE_BY_SIDE), _pytest(*ALONE)]
    return int(any(status not in (0, NOTHING_COLLECTED) for status in ended))


def _pytest(*options: str) -> int:
    return subprocess.call([sys.executable, "-m", "pytest", *options, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
