"""Every setting is documented, and the configuration is the only place that reads the environment."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from app.config import BadSetting, Config, settings_page

ROOT = Path(__file__).parent.parent
# Where the environment may be touched besides app/config.py, and why.
EXCEPTIONS = {
    "app/up.py": "hands its environment on to the children it starts",
    "app/http/operating.py": "asks how prometheus-client was set up, by the variable which that library reads itself",
}


@pytest.mark.parametrize("spec", fields(Config), ids=lambda spec: spec.name)
def test_every_setting_says_what_it_does_and_how_it_is_called(spec):
    assert spec.metadata.get("env", "").isupper()
    doc = spec.metadata.get("doc", "")
    assert len(doc) > 20 and doc.endswith("."), "one full sentence at least"
    assert "|" not in doc, "it would break the table"


def test_the_settings_page_is_the_generated_one():
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page()


def test_every_setting_is_on_the_page():
    for spec in fields(Config):
        assert f"`{spec.metadata['env']}`" in settings_page()


def test_only_the_configuration_reads_the_environment():
    sources = [*(ROOT / "app").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]
    touching = {str(path.relative_to(ROOT)) for path in sources if _touches_environment(path.read_text())}
    assert touching - {"app/config.py"} <= set(EXCEPTIONS)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['X']",
        "import os\nos.getenv('X')",
        "from os import environ",
        "from os import getenv as g",
        "import os as system\nsystem.environ.get('X')",
    ],
)
def test_the_scan_sees_each_way_to_read_it(source):
    assert _touches_environment(source)


def test_the_scan_ignores_other_names():
    assert not _touches_environment("import os\nos.getpid()\nrequest.environ['REMOTE_ADDR']")


def test_a_port_that_is_no_number_is_refused_by_name():
    with pytest.raises(BadSetting) as caught:
        Config.from_env({"PORT": "eight thousand"})
    assert caught.value.facts["setting"] == "PORT"


def test_the_home_is_a_hidden_folder_of_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Config.from_env({}).home == tmp_path / ".passerelle"


def test_an_empty_value_is_an_unset_one():
    assert Config.from_env({"DATABASE_URL": " ", "PORT": ""}) == Config.from_env({})


def _touches_environment(source: str) -> bool:
    """Whether `source` uses os.environ or os.getenv, under whatever name it imported os."""
    tree = ast.parse(source)
    modules = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "os"
    }
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="os", names=names):
                if {"environ", "environb", "getenv"} & {alias.name for alias in names}:
                    return True
            case ast.Attribute(value=ast.Name(id=name), attr="environ" | "environb" | "getenv") if name in modules:
                return True
    return False
