"""kill -9 between handing a mail over and our record of it: it is sent again, as the same mail, and no other."""

from __future__ import annotations

from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from app.bus import Bus
from tests.faults.town import a_town
from tests.notifications.mail_server import HANG, MailServer, Taken
from tests.running import HOST, Caller, web, worker
from tests.waiting import until

pytestmark = pytest.mark.slow
FROM = "Passerelle <bookings@passerelle.example>"


def by_number(heard: list[Taken]) -> Counter[str]:
    return Counter(str(message_from_bytes(taken.octets)["Message-ID"]) for taken in heard)


@pytest.mark.rabbitmq
def test_a_worker_killed_while_the_server_answers_sends_the_same_mail_again(
    own_database: str, broker: Bus, tmp_path: Path
) -> None:
    """It dies once the server has the whole mail, and has not heard what became of it."""
    town = a_town(own_database, members=2)
    heard: list[Taken] = []
    with MailServer() as server:
        server.hears = heard.append
        server.answers["DATA"] = [HANG]
        options: dict[str, Any] = {
            "home": tmp_path, "broker_url": broker.url, "prefix": broker.prefix,
            "smtp_url": f"smtp://{HOST}:{server.port}", "mail_from": FROM,
        }  # fmt: skip
        with (
            web(own_database, home=tmp_path) as serving,
            worker(own_database, "relay", **options),
            worker(own_database, "notifications", **options) as victim,
        ):
            with Caller(serving.port, town.tokens[0]) as caller:
                (wish,) = town.wishes(1)
                booked = caller.post("/bookings", wish.body, key=wish.key)
                assert booked.status == 201
            until(lambda: len(heard) == 1, within=30, describe="the server has the mail")
            assert states(town) == [("sending", 1)]
            victim.kill()
            victim.start().wait_ready()
            assert states(town) == [("sending", 1)], "the lease still runs"
            # What waiting for the end of the lease would do.
            town.rows("UPDATE notification SET claimed_until = clock_timestamp() RETURNING id")
            until(lambda: states(town) == [("sent", 2)], within=30, describe="it is sent, and that is recorded")
    assert list(by_number(heard).values()) == [2], "one mail, twice"
    assert heard[0].octets == heard[1].octets
    assert booked.json["id"].encode() in heard[0].octets.replace(b"=\r\n", b"")


def states(town: Any) -> list[tuple[str, int]]:
    return town.rows("SELECT state, attempts FROM notification ORDER BY id")
