"""A worker in another folder fetches the code by git, as docs/operations.md says, and runs it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.metrics_db import atomic_update
from tasks.metrics_location import metrics_path
from tasks.store.store import Store
from tests.servers import PREFECT, ROOT, beside_server, finished, server, worker

pytestmark = pytest.mark.slow  # a server, a deployment of all, a worker and a clone
CODE = ("flows", "tasks", "sql", "pyproject.toml")
STORE = re.compile(r"  work_pool: &store\n(?:    .*\n)+")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository with the code."""
    tree, bare = tmp_path / "tree", tmp_path / "code.git"
    tree.mkdir()
    for name in CODE:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tree / name)
    git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "The code"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(tree), str(bare)], check=True)
    return bare


def documented() -> str:
    """prefect.yaml with what the page on operations says for a second machine."""
    page = (ROOT / "docs" / "operations.md").read_text()
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", page, re.S) if "git_clone" in b]
    (definition,) = STORE.findall(block)
    pull = block[: block.index("definitions:")]
    return pull + STORE.sub(lambda _: definition, (ROOT / "prefect.yaml").read_text())


def test_a_worker_in_another_folder_runs_what_it_has_cloned(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    with atomic_update(metrics_path(Store(root))):
        pass  # no run, so that all in the remote is garbage
    garbage = tmp_path / "mount" / "data" / "prompts" / "0123456789abcdef"
    garbage.mkdir(parents=True)
    for name in ("cost.json", "manifest.json"):
        (garbage / name).write_text("{}")
        os.utime(garbage / name, (0, 0))
    (variant := tmp_path / "prefect.yaml").write_text(documented())
    environment = beside_server(tmp_path, tmp_path / "not this one")
    of_machine = {
        "CONTENT_ADVISOR_REPOSITORY": repository.as_uri(),
        "CONTENT_ADVISOR_STORE": str(root),
        "CONTENT_ADVISOR_REMOTE": str(tmp_path / "mount"),
    }
    with server(environment):
        pool = ["work-pool", "create", "local", "--type", "process"]
        finished([PREFECT, "--no-prompt", *pool], environment)
        deploy = ["deploy", "--all", "--prefect-file", str(variant)]
        finished([PREFECT, "--no-prompt", *deploy], environment | of_machine)
        elsewhere.mkdir()
        with worker(environment, elsewhere):
            run = ["deployment", "run", "gc/gc", "--watch"]
            finished([PREFECT, "--no-prompt", *run], environment)
        log = Path(environment["PREFECT_HOME"], "worker.log").read_text()
    assert "Cloning" in log or "git_clone" in log
    assert not garbage.exists()
    assert not (tmp_path / "not this one").exists()
