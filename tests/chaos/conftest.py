"""A server, an undisturbed run beside it, and copies of that run's store to do harm to."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs import Runs
from tests.servers import beside_server, server


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, few_users: Path) -> Iterator[Runs]:
    """A server, and one run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("runs")
    runs = Runs(beside_server(folder, folder / "whole"), folder / "whole", few_users)
    with server(runs.environment):
        began = time.monotonic()
        run = runs.start(runs.whole)
        output, _ = run.communicate()
        assert run.returncode == 0, output
        yield replace(runs, seconds=time.monotonic() - began)


@pytest.fixture
def root(runs: Runs, tmp_path: Path) -> Path:
    """A copy of the undisturbed run's store."""
    shutil.copytree(runs.whole, tmp_path / "store")
    return tmp_path / "store"
