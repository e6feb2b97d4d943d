"""Thousands of rows of a table in one statement: an array for each column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.db import Statement


class Bulk:
    """`Bulk("allocation", payment_id="bigint", cents="bigint")`; a jsonb column takes what JSON can carry."""

    def __init__(self, table: str, **types: str) -> None:
        self.types = types
        arrays = (f":{name}::{'text' if kind == 'jsonb' else kind}[]" for name, kind in types.items())
        chosen = (f"r.{name}::jsonb" if kind == "jsonb" else f"r.{name}" for name, kind in types.items())
        self.statement = Statement(
            f"INSERT INTO {table} ({', '.join(types)}) SELECT {', '.join(chosen)} "
            f"FROM unnest({', '.join(arrays)}) AS r({', '.join(types)})"
        )

    def insert(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self.statement.run(session, {name: [self._sent(name, row[name]) for row in rows] for name in self.types})

    def _sent(self, name: str, value: Any) -> Any:
        return json.dumps(value) if self.types[name] == "jsonb" else value
