"""The key that signs form tokens is made once, in private, whoever comes first."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from app.config import BadSetting, Config
from app.secret_key import secret_key


def test_a_key_is_made_once_kept_private_and_found_again(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "new")
    made = secret_key(config)
    assert len(made) >= 64 and secret_key(config) == made
    assert (tmp_path / "new" / "secret_key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["secret_key"]


def test_the_setting_goes_before_the_file(tmp_path: Path) -> None:
    given = "x" * 40
    assert secret_key(Config(home=tmp_path, secret_key=given)) == given
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting):
        secret_key(Config(home=tmp_path, secret_key="secret"))
    (tmp_path / "secret_key").write_text("")
    with pytest.raises(BadSetting):
        secret_key(Config(home=tmp_path))


def _make(home: str, go: object, found: object) -> None:
    go.wait()  # type: ignore[attr-defined]
    found.put(secret_key(Config(home=Path(home))))  # type: ignore[attr-defined]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    go, found = spawn.Barrier(8), spawn.Queue()
    racers = [spawn.Process(target=_make, args=(str(tmp_path), go, found)) for _ in range(8)]
    for racer in racers:
        racer.start()
    assert len({found.get(timeout=20) for _ in racers}) == 1
    for racer in racers:
        racer.join(timeout=20)
