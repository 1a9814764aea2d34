"""A server, an undisturbed run beside it, and copies of that run's store to do harm to."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import Runs
from tests.servers import beside_server, server


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """A server, and one run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("runs")
    environment = beside_server(folder, folder / "whole")
    with server(environment):
        began = time.monotonic()
        run = Runs(environment, folder / "whole", 0).start(folder / "whole")
        output, _ = run.communicate()
        assert run.returncode == 0, output
        yield Runs(environment, folder / "whole", time.monotonic() - began)


@pytest.fixture
def root(runs: Runs, tmp_path: Path) -> Path:
    """A copy of the undisturbed run's store."""
    shutil.copytree(runs.whole, tmp_path / "store")
    return tmp_path / "store"
