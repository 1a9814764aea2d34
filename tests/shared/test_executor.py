"""A crew makes what one would make alone, in the same order, whoever dies meanwhile."""

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


def told_by(number):
    return number, os.getpid()


def dies_once(folder, number):
    """Who is given the 3 first is killed in the middle of it."""
    mark = Path(folder) / "killed"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * 2


def taken(given):
    for number in range(100):
        given.append(number)
        yield number


@pytest.fixture(params=["threads", "cluster"])
def address(request):
    if request.param == "threads":
        return None
    return request.getfixturevalue("cluster")


def test_results_come_in_the_order_of_the_items(store, address):
    with open_executor(3, address, store, []) as executor:
        told = list(executor.map_ordered(told_by, range(20)))
    assert [number for number, _ in told] == list(range(20))
    here = {process for _, process in told} == {os.getpid()}
    assert here == (address is None)


def test_no_more_items_are_held_than_are_worked_on_and_one(store, address):
    given = []
    with open_executor(3, address, store, []) as executor:
        for done, _ in enumerate(executor.map_ordered(told_by, taken(given))):
            assert len(given) <= done + 1 + executor.size
    assert len(given) == 100


def test_the_item_of_a_worker_that_is_killed_is_given_to_another(store, cluster, tmp_path):
    with open_executor(1, cluster, store, []) as executor:
        made = list(executor.map_ordered(partial(dies_once, str(tmp_path)), range(9)))
    assert (tmp_path / "killed").exists()
    assert made == [number * 2 for number in range(9)]


def test_what_the_work_reads_must_be_had_where_it_is_done(store, cluster, tmp_path):
    gone = SplitRatings(tmp_path / "gone", "gone")
    with (
        open_executor(1, cluster, store, [gone]) as executor,
        pytest.raises(StoreError, match="split-ratings gone"),
    ):
        list(executor.map_ordered(told_by, range(3)))


def test_workers_with_other_code_are_refused(store, cluster, monkeypatch):
    monkeypatch.setattr("tasks.executor.code_version", lambda _: "other")
    with (
        open_executor(1, cluster, store, []) as executor,
        pytest.raises(ClusterError, match=r"this run has code other, duckdb .*: update the worker"),
    ):
        list(executor.map_ordered(told_by, range(3)))


def test_a_scheduler_that_is_not_there_is_told_in_one_line(store):
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
