"""The mails that were written to files, because no mail server is set: each member sees their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from app.errors import NotFound
from app.notifications.outbox_reading import Written, written_mail, written_mails
from app.web.site import ZONE, blueprint
from app.web.visits import Visit, page, visiting


@blueprint.get("/outbox")
def outbox() -> Response:
    """Newest first. Where mails go out, there is no such page."""

    def look(visit: Visit) -> dict[str, Any]:
        person, home = visit.member, _home(visit)
        return {"person": person, "mails": written_mails(visit.session, home, member_id=person.member_id)}

    response = page("outbox.html", zone=ZONE, **visiting(look))
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/outbox/<uuid:notification_id>.ics")
def outbox_calendar(notification_id: UUID) -> Response:
    """The calendar file that came with one of my mails."""

    def look(visit: Visit) -> Written | None:
        home = _home(visit)
        return written_mail(visit.session, home, member_id=visit.member.member_id, uid=notification_id)

    mail = visiting(look)
    if mail is None or mail.calendar is None:
        raise NotFound()
    headers = {"Content-Disposition": 'attachment; filename="booking.ics"', "Cache-Control": "no-store"}
    return Response(mail.calendar, mimetype="text/calendar", headers=headers)


def _home(visit: Visit) -> Any:
    config = visit.services.config
    if config.smtp_url is not None:
        raise NotFound()
    return config.home
