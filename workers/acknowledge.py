"""What the bus may forget, told to it many messages at a time: to a quorum queue each telling is work of its own."""

from __future__ import annotations

from typing import Any


class Acknowledgements:
    """The messages of one channel that the bus has not been told to forget.

    The broker takes one telling as of everything up to there; what must wait longer is kept out of it.
    """

    def __init__(self, prefetch: int, *, one_by_one: bool) -> None:
        self._together = max(1, prefetch // 4)
        self._one_by_one = one_by_one
        self._owed: dict[Any, Any] = {}  # by delivery tag, in the order of arrival
        self._settled: list[Any] = []

    def owe(self, message: Any) -> None:
        """It has arrived, and waits for its outcome."""
        self._owed[message.delivery_tag] = message

    def settle(self, message: Any) -> None:
        """The database has taken its outcome."""
        self._settled.append(message.delivery_tag)
        if len(self._settled) >= self._together:
            self.send()

    def reject(self, message: Any) -> None:
        """It goes to the dead letters."""
        self._owed.pop(message.delivery_tag, None)
        message.reject(requeue=False)

    def send(self) -> None:
        """Tell of everything that is settled."""
        settled, self._settled = set(self._settled), []
        together = self._settled_without_gap(settled)
        if together:
            self._owed[together[-1]].channel.basic_ack(together[-1], multiple=True)
        for tag in settled.difference(together):
            self._owed[tag].channel.basic_ack(tag)
        for tag in settled:
            del self._owed[tag]

    def clear(self) -> None:
        """The channel is gone: nothing can be told any more, and the bus delivers again what it was not told of."""
        self._owed.clear()
        self._settled.clear()

    def _settled_without_gap(self, settled: set[Any]) -> list[Any]:
        """The oldest messages, as far as all of them are settled."""
        found: list[Any] = []
        if self._one_by_one:
            return found
        for tag in self._owed:
            if tag not in settled:
                break
            found.append(tag)
        return found
