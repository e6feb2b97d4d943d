"""What strangers put into the folders stops nobody: neither the worker, nor another operator's answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from app.billing.einvoices.dispatching import Dispatcher
from app.billing.einvoices.file_drop import FileDrop
from app.billing.einvoices.models import EInvoice
from app.billing.einvoices.port import Answer
from app.billing.einvoices.wanting import want_first
from app.billing.invoices.models import Invoice
from app.db import make_engine, sessions, transaction
from app.network.models import Operator
from app.tenancy import SYSTEM
from tests.billing.einvoices.house import (
    NOW,
    Clock,
    Sessions,
    a_business,
    a_document,
    a_seller,
    put_answer,
    rows,
    status,
    switch_on,
    work_all,
)

FIRST, SECOND = UUID(int=1), UUID(int=2)
ACCEPTED, REJECTED = b'{"number": "X-1", "status": "AP"}', b'{"number": "X-1", "status": "RE"}'


class Telling(FileDrop):
    """Tells these answers once, and remembers what was said of each."""

    def __init__(self, home: Path, *answers: Answer) -> None:
        super().__init__(home)
        self.answers, self.settled = list(answers), dict[str, bool]()

    def ask(self, *, most: int) -> Sequence[Answer]:
        return [answer for answer in self.answers if answer.key not in self.settled]

    def heard(self, answer: Answer, *, used: bool) -> None:
        self.settled[answer.key] = used


@pytest.fixture
def invoice(make_session: Sessions, tmp_path: Path) -> Invoice:
    """A Belgian business's, handed over."""
    with transaction(make_session, SYSTEM) as session:
        invoice = a_document(session, a_seller(session), a_business(session))
        want_first(session, invoice.uid, now=NOW)
    switch_on(make_session, invoice)
    work_all(Dispatcher(make_session, tmp_path, clock=Clock()))
    return invoice


def answer_about(make_session: Sessions, invoice: Invoice, **said: Any) -> Answer:
    with transaction(make_session, SYSTEM) as session:
        operator = session.get_one(Operator, invoice.operator_id)
    given = {
        "key": "good", "operator_uid": operator.uid, "einvoice_uid": None, "number": invoice.number, "code": "AP",
        "at_message_level": False, "reason": "", "at": None,
    }  # fmt: skip
    return Answer(**{**given, **said})


def put(home: Path, operator: UUID, name: str, octets: bytes) -> Path:
    folder = home / "einvoices" / "in" / str(operator)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(octets)
    return folder / name


def in_folder(home: Path, folder: str) -> list[str]:
    """Whose files are there, and their names without the hash."""
    found = home.glob(f"einvoices/{folder}/*/*")
    return sorted(f"{UUID(path.parent.name).int}/{path.name.partition('.')[2]}" for path in found)


def hear_all(drop: FileDrop, *, used: bool = True) -> list[tuple[int, str]]:
    told = drop.ask(most=100)
    for answer in told:
        drop.heard(answer, used=used)
    return [(answer.operator_uid.int, answer.code) for answer in told]


def test_signs_that_no_database_keeps_are_taken_out_of_an_answer(
    make_session: Sessions, invoice: Invoice, tmp_path: Path
) -> None:
    said = status(invoice, "RE", reason="Un\x00known\ud800 receiver")
    put_answer(make_session, tmp_path, invoice, "a.json", said)
    work_all(Dispatcher(make_session, tmp_path, clock=Clock()))
    (row,) = rows(make_session)
    assert (row.state, row.reason) == ("rejected", "Un known  receiver")


def test_an_answer_that_cannot_be_stored_is_put_aside_and_the_next_is_heard(
    make_session: Sessions, invoice: Invoice, tmp_path: Path
) -> None:
    bad = answer_about(make_session, invoice, key="bad", number="\x00")
    worse = answer_about(make_session, invoice, key="worse", code="no code")
    carrier = Telling(tmp_path, bad, worse, answer_about(make_session, invoice))
    assert Dispatcher(make_session, tmp_path, carrier=carrier, clock=Clock()).listen() == 3
    assert carrier.settled == {"bad": False, "worse": False, "good": True}
    assert rows(make_session)[0].state == "accepted"


def test_an_answer_is_told_again_where_the_database_could_not_hear_it(
    make_session: Sessions, invoice: Invoice, database_url: str, tmp_path: Path
) -> None:
    carrier = Telling(tmp_path, answer_about(make_session, invoice))
    nowhere = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(OperationalError):
        Dispatcher(sessions(nowhere), tmp_path, carrier=carrier, clock=Clock()).listen()

    hasty = make_engine(database_url)
    event.listen(hasty, "connect", _hasty)
    try:
        dispatcher = Dispatcher(sessions(hasty), tmp_path, carrier=carrier, clock=Clock())
        with transaction(make_session, SYSTEM) as session:
            session.execute(select(EInvoice.id).with_for_update())
            assert dispatcher.listen() == 0
        assert carrier.settled == {}
        assert (dispatcher.listen(), carrier.settled) == (1, {"good": True})
    finally:
        hasty.dispose()


def _hasty(connection: Any, _record: Any) -> None:
    connection.execute("SET lock_timeout = '50ms'")
    connection.commit()


def test_a_file_that_cannot_be_read_stays_and_the_others_are_heard(tmp_path: Path) -> None:
    broken = put(tmp_path, FIRST, "a.json", b"")
    broken.unlink()
    broken.symlink_to("/proc/self/mem")  # a file whose first octet no process may read, not even the superuser's
    put(tmp_path, FIRST, "b.json", ACCEPTED)
    put(tmp_path, SECOND, "a.json", REJECTED)
    (tmp_path / "einvoices" / "in" / "stray").write_text("no folder")
    drop = FileDrop(tmp_path)
    assert hear_all(drop) == [(2, "RE"), (1, "AP")]
    assert hear_all(drop) == []
    assert (in_folder(tmp_path, "read"), broken.is_symlink()) == (["1/b.json", "2/a.json"], True)


def test_a_file_that_cannot_be_moved_is_heard_once_and_moved_when_the_disk_allows_it(tmp_path: Path) -> None:
    put(tmp_path, FIRST, "a.json", ACCEPTED)
    put(tmp_path, FIRST, "b.json", b"nothing")
    for folder in ("read", "unread"):
        (tmp_path / "einvoices" / folder).write_text("in the way")
    drop = FileDrop(tmp_path)
    assert hear_all(drop) == [(1, "AP")]
    assert hear_all(drop) == []
    for folder in ("read", "unread"):
        (tmp_path / "einvoices" / folder).unlink()
    assert hear_all(drop) == []
    assert (in_folder(tmp_path, "read"), in_folder(tmp_path, "unread")) == (["1/a.json"], ["1/b.json"])
    assert in_folder(tmp_path, "in") == []


def test_the_same_words_to_two_operators_are_two_answers(tmp_path: Path) -> None:
    for operator in (FIRST, SECOND):
        put(tmp_path, operator, "a.json", ACCEPTED)
    drop = FileDrop(tmp_path)
    first, second = drop.ask(most=2)
    drop.heard(first, used=True)
    drop.heard(second, used=False)
    assert (in_folder(tmp_path, "read"), in_folder(tmp_path, "unread")) == (["1/a.json"], ["2/a.json"])


def test_one_operators_many_answers_do_not_keep_anothers_waiting(tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path, FIRST, f"{number}.json", ACCEPTED.replace(b"X-1", f"X-{number}".encode()))
    put(tmp_path, SECOND, "a.json", ACCEPTED)
    assert {answer.operator_uid for answer in FileDrop(tmp_path).ask(most=2)} == {FIRST, SECOND}


def test_names_that_come_again_overwrite_nothing_however_long_they_are(tmp_path: Path) -> None:
    drop, name = FileDrop(tmp_path), f"{'é' * 120}.json"
    for used, texts in ((True, (ACCEPTED, REJECTED)), (False, (ACCEPTED, REJECTED))):
        for octets in texts:
            put(tmp_path, FIRST, name, octets)
            assert len(hear_all(drop, used=used)) == 1
    for octets in (b"nothing", b"nothing either"):
        put(tmp_path, FIRST, name, octets)
        assert hear_all(drop) == []
    kept = {folder: len(in_folder(tmp_path, folder)) for folder in ("in", "read", "unread")}
    assert kept == {"in": 0, "read": 2, "unread": 4}
