"""An authority of certificates for the whole run: keys take a moment to make."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside.receivers import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("authority")))
