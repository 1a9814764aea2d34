"""What prefect.yaml deploys, walked with a real server and a real worker on loopback."""

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint

from tasks.metrics_db import open_readonly
from tests.servers import PREFECT, ROOT, finished

DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("entrypoint", sorted({d["entrypoint"] for d in DEPLOYMENTS}))
def test_an_entrypoint_loads_as_the_flow_it_names(
    entrypoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    assert flow.name == entrypoint.split(":")[1]


def test_the_deployments_are_there_and_nightly_and_gc_are_scheduled() -> None:
    named = {d["name"]: d for d in DEPLOYMENTS}
    assert set(named) == {
        "nightly",
        "on-demand",
        "rescore",
        "recommend",
        "recommend-all",
        "backfill",
        "rollback",
        "gc",
    }
    assert [d["name"] for d in DEPLOYMENTS if "schedules" in d] == ["nightly", "gc"]
    assert named["nightly"]["schedules"] == [
        {"cron": "0 3 * * *", "timezone": "UTC", "active": True}
    ]


def test_what_works_on_the_store_has_one_queue_and_the_rest_another() -> None:
    queues = {d["name"]: d["work_pool"]["work_queue_name"] for d in DEPLOYMENTS}
    assert {name for name, queue in queues.items() if queue == "quick"} == {"recommend", "rollback"}
    assert {queue for name, queue in queues.items()} == {"quick", "store"}


def test_all_of_them_are_deployed(deployed: dict[str, str]) -> None:
    listed = finished([PREFECT, "deployment", "ls"], deployed | {"COLUMNS": "200"})
    for deployment in DEPLOYMENTS:
        assert f"{deployment['entrypoint'].split(':')[1]}/{deployment['name']} " in listed, listed


def test_a_worker_finishes_a_deployed_run_and_refuses_a_profile_that_there_is_not(night) -> None:
    with open_readonly(night.store / "artifacts" / "metrics.duckdb") as db:
        runs = db.execute(
            "select profile, count(*) > 0 from leaderboard join runs using (run_id) group by all"
        )
        assert runs.fetchall() == [("smoke", True)]
    assert night.refused == 1
