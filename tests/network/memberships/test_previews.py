"""What a preview says is what the act then asks for, whatever the act."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Clock
from tests.network.memberships.signing import at
from tests.network.memberships.test_api import Cast
from tests.network.memberships.test_api import cast as cast

ACTS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "end": ({"act": "end", "until_day": "2026-03-25"}, "notices", {"last_day": "2026-03-25"}),
    "pause": (
        {"act": "pause", "from_day": "2026-03-20", "until_day": "2026-03-25"},
        "pauses",
        {"from_day": "2026-03-20", "until_day": "2026-03-25"},
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_preview_says_what_the_act_then_asks_for(cast: Cast, clock: Clock, act: str) -> None:
    plan = cast.publish()
    path = f"/memberships/{cast.ana.post('/memberships', json=cast.wish(plan)).json['id']}"
    clock.now = at("2026-03-12T09:00")
    asked, then, body = ACTS[act]
    told = cast.ana.post(f"{path}/previews", json=asked).json
    assert told["total"]["amount_cents"] < 0
    assert cast.ana.post(f"{path}/previews", json=asked).json == told, "and leaves nothing"
    assert cast.ana.post(f"{path}/{then}", json=body).status_code == 200


def test_an_extension_is_foretold_too(cast: Cast, clock: Clock) -> None:
    plan = cast.publish()
    path = f"/memberships/{cast.ana.post('/memberships', json=cast.wish(plan)).json['id']}"
    clock.now = at("2026-03-12T09:00")
    assert cast.ana.post(f"{path}/notices", json={"last_day": "2026-03-20"}).status_code == 200
    told = cast.ana.post(f"{path}/previews", json={"act": "extend", "until_day": "2026-03-23"}).json
    assert [line["days"] for line in told["lines"]] == [3]
    assert told["total"]["amount_cents"] > 0
