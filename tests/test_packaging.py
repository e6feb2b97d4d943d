"""What is installed is what is here: a folder or file left out of the package is missed in production only."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("app", "workers", "migrations")


def files() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    return [path.relative_to(ROOT) for path in found if "__pycache__" not in path.parts]


def test_every_folder_with_python_in_it_is_a_package() -> None:
    folders = {path.parent for path in files() if path.suffix == ".py"}
    assert [folder for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []


def test_every_other_file_is_named_as_data_of_its_package() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    patterns = {name: value.split(", ") for name, value in settings["options.package_data"].items()}
    packed = {
        path.relative_to(ROOT)
        for package, globs in patterns.items()
        for glob in globs
        for path in (ROOT / package).glob(glob)
    }
    assert [path for path in files() if path.suffix not in (".py", ".pyc") and path not in packed] == []
