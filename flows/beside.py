"""Makes stages beside others, in a process of their own: what needs no model, while one trains."""

import inspect
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect import Task
from prefect.task_runners import ProcessPoolTaskRunner

from flows.retries import resilient
from flows.run_start import show_own_lines
from flows.stages import Stages
from tasks.end_with_parent import end_with


@contextmanager
def beside(stages: Stages) -> Iterator[Callable[[str, Task], Callable[..., None]]]:
    """Begins tasks, one after the other, for `stages` to wait for under the same label.

    Their process has its own seeds and threads, and measures its own costs. Where the block fails
    it is ended: the next run builds again what was not finished.
    """
    runner = ProcessPoolTaskRunner(1, initializer=_prepare_process, initargs=(os.getpid(),))

    def begin(label: str, task: Task) -> Callable[..., None]:
        def submit(*args: object, **kwargs: object) -> None:
            parameters = inspect.signature(task.fn).bind(*args, **kwargs).arguments
            stages.begun[label] = runner.submit(resilient(task, label), parameters)

        return submit

    with runner:
        try:
            yield begin
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _prepare_process(parent: int) -> None:
    end_with(parent)
    show_own_lines()
