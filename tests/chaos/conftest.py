"""A server, an undisturbed night beside it, and copies of that night's store to do harm to."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nights import Nights
from tests.servers import beside_server, server


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """A server, and one night that nobody disturbed."""
    folder = tmp_path_factory.mktemp("nights")
    environment = beside_server(folder, folder / "whole")
    with server(environment):
        began = time.monotonic()
        night = Nights(environment, folder / "whole", 0).start(folder / "whole")
        said, _ = night.communicate()
        assert night.returncode == 0, said
        yield Nights(environment, folder / "whole", time.monotonic() - began)


@pytest.fixture
def root(nights: Nights, tmp_path: Path) -> Path:
    """A copy of the undisturbed night's store."""
    shutil.copytree(nights.whole, tmp_path / "store")
    return tmp_path / "store"
