"""The mark of a demonstration: a database without it is never filled with made-up people."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.db import Base
from app.tenancy import by_the_system, seen


@seen(by_the_system)
class Demonstration(Base):
    """One row, written in the transaction that loads the demonstration: who comes second waits here, then sees it."""

    __tablename__ = "demonstration"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    loaded_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
