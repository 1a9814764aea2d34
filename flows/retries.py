"""Has tasks tried again where something outside of this machine did not answer, and only there.

Any task may reach outside: the store can have a remote. These options are set where tasks are
called, since a stage's own code decides whether its artifact is built again.
"""

from collections.abc import Iterator
from typing import Any, ParamSpec, TypeVar

from prefect import State, Task

from tasks.download import UnreachableError
from tasks.store.remote.errors import ConflictError, UnreachableRemoteError

P = ParamSpec("P")
R = TypeVar("R")
PASSING = (UnreachableError, UnreachableRemoteError, ConflictError)
SECONDS: list[float] = [5, 15, 45, 45]
# Machines that conflict, or whose server comes back, should not all return in the same second.
JITTER = 0.5


def resilient(task: Task[P, R], name: str) -> Task[P, R]:
    """The task, under a name, with retries."""
    return task.with_options(
        task_run_name=name,
        retries=len(SECONDS),
        retry_delay_seconds=SECONDS,
        retry_jitter_factor=JITTER,
        retry_condition_fn=_may_pass,
    )


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed soon: a server, a bucket or the hub did not answer."""
    return any(isinstance(cause, PASSING) or _is_of_http(cause) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_of_http(error: BaseException) -> bool:
    """Whether an HTTP server did not answer, or answers 429 or 5xx.

    By names: Prefect's client is of httpx, the hub's of httpx2.
    """
    status = getattr(getattr(error, "response", None), "status_code", None) or 0
    unreachable = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
    return unreachable or status == 429 or status >= 500


def _may_pass(_task: object, _run: object, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, BaseException) and may_pass(error)
