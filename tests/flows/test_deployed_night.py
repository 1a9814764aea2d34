"""What prefect.yaml deploys, walked with a real server and a real worker on loopback."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint

from tasks.warehouse import reading

ROOT = Path(__file__).resolve().parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))
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
    port = free_port()
    (home := tmp_path / "prefect").mkdir()
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "CONTENT_ADVISOR_STORE": str(tmp_path / "store"),
        "OMP_NUM_THREADS": "1",
    }
    metrics = tmp_path / "store" / "artifacts" / "metrics.duckdb"

    def prefect(*arguments: str) -> str:
        return finished([PREFECT, "--no-prompt", *arguments], environment)

    server = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running([PREFECT, *server], environment, tmp_path / "server.log"):
        wait_until(lambda: healthy(port), seconds=180)
        prefect("work-pool", "create", "local", "--type", "process", "--overwrite")
        deployed = prefect("deploy", "--all")
        assert deployed.count("successfully created") == len(DEPLOYMENTS), deployed
        worker = ["worker", "start", "--pool", "local", "--type", "process", "--limit", "1"]
        with running([PREFECT, *worker], environment, tmp_path / "worker.log"):
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


def finished(command: list[str], environment: dict[str, str]) -> str:
    """What a command printed; raises CalledProcessError where it failed."""
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if ran.returncode:
        print(ran.stdout, ran.stderr)
    ran.check_returncode()
    return ran.stdout + ran.stderr


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """A process that is there while the block runs, and told to end after it."""
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            yield
        except BaseException:
            print(log.name, log.read_text()[-4000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(port: int) -> bool:
    """Whether the server answers."""
    with (
        suppress(URLError, OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2) as answer,
    ):
        return bool(answer.status == 200)
    return False


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    """Raises TimeoutError where it does not become true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not true after {seconds} s")
        time.sleep(0.5)
