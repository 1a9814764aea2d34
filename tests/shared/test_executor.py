"""An executor returns what one process would, in the same order, also where a worker dies."""

import os
import signal
from functools import partial
from pathlib import Path

import dask
import pytest

from tasks.executor import ClusterError, open_executor
from tasks.store.artifacts import SplitRatings
from tasks.store.store import StoreError
from tests.servers import dask_workers, scheduler


def with_process(number):
    return number, os.getpid()


def dies_once(folder, number):
    """Kills the worker that gets the 3 first."""
    mark = Path(folder) / "killed"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * 2


def counting(drawn):
    for number in range(100):
        drawn.append(number)
        yield number


@pytest.fixture(params=["threads", "cluster"])
def address(request):
    if request.param == "threads":
        return None
    return request.getfixturevalue("cluster")


def test_results_come_in_the_order_of_the_items(store, address):
    with open_executor(3, address, store, []) as executor:
        results = list(executor.map_ordered(with_process, range(20)))
    assert [number for number, _ in results] == list(range(20))
    in_this_process = {process for _, process in results} == {os.getpid()}
    assert in_this_process == (address is None)


def test_one_item_more_than_are_worked_on_is_drawn(store, address):
    drawn = []
    with open_executor(3, address, store, []) as executor:
        for done, _ in enumerate(executor.map_ordered(with_process, counting(drawn))):
            assert len(drawn) <= done + 1 + executor.size
    assert len(drawn) == 100


def test_the_item_of_a_killed_worker_is_done_by_another(store, cluster, tmp_path):
    with open_executor(1, cluster, store, []) as executor:
        made = list(executor.map_ordered(partial(dies_once, str(tmp_path)), range(9)))
    assert (tmp_path / "killed").exists()
    assert made == [number * 2 for number in range(9)]


def test_an_input_that_a_worker_cannot_get_is_named(store, cluster, tmp_path):
    gone = SplitRatings(tmp_path / "gone", "0123")
    with (
        open_executor(1, cluster, store, [gone]) as executor,
        pytest.raises(StoreError, match="split-ratings 0123"),
    ):
        list(executor.map_ordered(with_process, range(3)))


def test_workers_with_other_code_are_refused(store, cluster, monkeypatch):
    monkeypatch.setattr("tasks.executor.code_version", lambda _: "other")
    with (
        open_executor(1, cluster, store, []) as executor,
        pytest.raises(ClusterError, match=r"this run has code other, duckdb .*: update the worker"),
    ):
        list(executor.map_ordered(with_process, range(3)))


def test_a_missing_scheduler_is_reported_in_one_line(store):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ClusterError, match=r"answers at tcp://127\.0\.0\.1:9 .*docs/scale\.md"),
        open_executor(1, "tcp://127.0.0.1:9", store, []),
    ):
        pass


def test_workers_of_several_threads_are_refused(store, tmp_path):
    with (
        scheduler(tmp_path) as address,
        dask_workers(address, tmp_path, number=1, threads=2),
        pytest.raises(ClusterError, match=r"one thread each.*--nthreads 1"),
        open_executor(1, address, store, []),
    ):
        pass
