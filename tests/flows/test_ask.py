"""A borderline promotion waits for a person, who resumes the run with a decision."""

import threading

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

from flows.ask import Verdict, answer, ask
from tasks.publish.promotion import Check, is_borderline
from tests.servers import wait_until


def check(value, threshold=0.01):
    return Check("ndcg", "everyone", value, threshold)


@pytest.mark.parametrize(
    ("values", "borderline"),
    [([0.0095], True), ([0.0105, 0.0], True), ([0.0105, 0.02], False), ([0.005], False)],
)
def test_the_check_that_decides_is_borderline_near_its_margin(values, borderline):
    checks = [*map(check, values), check(0.0, threshold=0)]
    assert is_borderline(checks, 0.1) == borderline
    assert not is_borderline(checks, 0)
    assert not is_borderline([*checks, check(0.001, threshold=0)], 0.1)


def test_a_run_waits_until_a_person_decides():
    @flow
    def undecided():
        return ask("3f2a", hours=1, every=1)

    with prefect_test_harness(server_startup_timeout=180):
        answers = []
        run = threading.Thread(target=lambda: answers.append(undecided()))
        run.start()
        with get_client(sync_client=True) as client:

            def paused():
                return [one for one in client.read_flow_runs() if one.state.is_paused()]

            wait_until(paused, seconds=180)
            assert not answers
            (waiting,) = paused()
            verdict = Verdict(promote=False, reason="too few users")
            with pytest.raises(LookupError, match=f"0 paused runs .* there are {waiting.name}"):
                answer("another", verdict)
            assert answer(str(waiting.id)[:8], verdict) == waiting.name
        run.join()
    assert answers == [(False, "decided by hand: too few users")]
