"""What verifying found: faults by member, each in a sentence, and what is worth knowing where there is none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MOST = 20  # faults of one member that are told; the others are counted


@dataclass
class Report:
    faults: list[str] = field(default_factory=list)
    public_key: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    _told: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return not self.faults

    def fault(self, where: str, what: str) -> None:
        self._told[where] += 1
        if self._told[where] <= MOST:
            self.faults.append(f"{where}: {what}")
        elif self._told[where] == MOST + 1:
            self.faults.append(f"{where}: and more")
