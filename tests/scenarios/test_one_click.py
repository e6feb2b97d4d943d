"""A mail from one process stops its kind through another: both know the key, and nobody signs in."""

from __future__ import annotations

import http.client
import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from app.db import TenantSession, transaction
from app.notifications.models import Notification
from app.tenancy import SYSTEM
from tests.faults.town import a_town
from tests.running import Caller, web, worker
from tests.waiting import until


def one_click(port: int, path: str) -> int:
    """What a mail program's own button sends (RFC 8058)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, "List-Unsubscribe=One-Click", headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_one_click_in_a_mail_ends_mails_of_its_kind(
    database_url: str, make_session: sessionmaker[TenantSession], tmp_path: Path
) -> None:
    def outcomes() -> list[tuple[str, str | None]]:
        with transaction(make_session, SYSTEM) as session:
            rows = session.scalars(select(Notification).order_by(Notification.id))
            return [(row.state, row.reason) for row in rows]

    town = a_town(database_url, members=1)
    first, second = town.wishes(2)
    with worker(database_url, "all", home=tmp_path), web(database_url, home=tmp_path) as server:
        with Caller(server.port, town.tokens[0]) as caller:
            assert caller.post("/bookings", first.body).status == 201
            until(lambda: outcomes() == [("sent", None)], within=30, describe="the mail is written")
            (file,) = (tmp_path / "outbox").rglob("*.eml")
            mail = message_from_bytes(file.read_bytes(), policy=default)
            address = re.fullmatch(r"<(.+)>", str(mail["List-Unsubscribe"]))
            assert address
            assert one_click(server.port, urlsplit(address[1]).path) == 200

            preferences = {row["kind"]: row["wanted"] for row in caller.get("/me/notification-preferences").json}
            assert [kind for kind, wanted in preferences.items() if not wanted] == ["booking_confirmed"]
            assert caller.post("/bookings", second.body).status == 201
            settled = [("sent", None), ("suppressed", "unwanted")]
            until(lambda: outcomes() == settled, within=30, describe="the second mail is left unsent")
        assert urlsplit(address[1]).path.removeprefix("/u/") not in server.log
    assert len(list((tmp_path / "outbox").rglob("*.eml"))) == 1
