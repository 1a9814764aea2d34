"""What prefect.yaml deploys, walked with a real server and a real worker on loopback."""

import subprocess
from pathlib import Path

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint

from tasks.warehouse import reading
from tests.servers import PREFECT, ROOT, beside_server, finished, server, worker

DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("entrypoint", sorted({d["entrypoint"] for d in DEPLOYMENTS}))
def test_an_entrypoint_loads_as_the_flow_it_names(
    entrypoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    assert flow.name == entrypoint.split(":")[1]


def test_the_deployments_are_there_and_the_night_and_the_sweep_are_scheduled() -> None:
    named = {d["name"]: d for d in DEPLOYMENTS}
    assert set(named) == {
        "nightly",
        "on-demand",
        "rescore",
        "recommend",
        "backfill",
        "rollback",
        "gc",
    }
    assert [d["name"] for d in DEPLOYMENTS if "schedules" in d] == ["nightly", "gc"]
    assert named["nightly"]["schedules"] == [
        {"cron": "0 3 * * *", "timezone": "UTC", "active": True}
    ]
    assert named["nightly"]["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_a_worker_finishes_a_deployed_night_with_new_rows_in_the_metric_file(
    tmp_path: Path,
) -> None:
    environment = beside_server(tmp_path, tmp_path / "store")
    metrics = tmp_path / "store" / "artifacts" / "metrics.duckdb"

    def prefect(*arguments: str) -> str:
        return finished([PREFECT, "--no-prompt", *arguments], environment)

    with server(environment):
        prefect("work-pool", "create", "local", "--type", "process", "--overwrite")
        deployed = prefect("deploy", "--all")
        assert deployed.count("successfully created") == len(DEPLOYMENTS), deployed
        with worker(environment):
            assert not metrics.exists()
            prefect("deployment", "run", "nightly/on-demand", "-p", "profile=smoke", "--watch")
            rows = count(metrics)
            assert rows > 0
            with pytest.raises(subprocess.CalledProcessError):
                prefect("deployment", "run", "nightly/on-demand", "-p", "profile=none", "--watch")
            assert count(metrics) == rows


def count(metrics: Path) -> int:
    """Rows that the leaderboard shows."""
    with reading(metrics) as db:
        found = db.execute("select count(*) from leaderboard").fetchone()
    assert found is not None
    return int(found[0])
