"""What Prefect's server is told of a night, and its UI shows: names, tags and the stages' log."""

import base64
import json
import logging
import re
from xml.etree import ElementTree

import pytest
from prefect import flow
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter, LogFilter
from prefect.client.schemas.objects import FlowRun

from flows.console import configure_logging, send_log
from flows.run_artifacts import decision_text
from flows.run_start import begin_run
from tasks.metrics_db import read_leaderboard


@pytest.fixture(scope="module")
def run(night, client) -> FlowRun:
    """The night."""
    name = {"like_": "-smoke"}
    (found,) = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=name))
    return found


def read_log(client, *runs):
    """Logger, level and text of all lines of runs."""
    only, lines = LogFilter(flow_run_id={"any_": [run.id for run in runs]}), []
    while page := client.read_logs(only, limit=200, offset=len(lines)):
        lines += page
    return [(line.name, line.level, line.message) for line in lines]


def subflows(client, run):
    """The runs that it has started."""
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(parent_flow_run_id={"any_": [run.id]})
    )


def test_the_log_has_the_stages_lines_and_nothing_of_libraries(client, run):
    log = read_log(client, run, *subflows(client, run))
    loggers = {name.split(".")[0] for name, _, _ in log}
    assert loggers == {"prefect", "flows", "tasks"}
    assert {name for name, _, _ in log if name.startswith("prefect")} == {
        "prefect.flow_runs",
        "prefect.flow_runs.worker",
        "prefect.task_runs",
    }
    texts = [text for name, _, text in log if name == "tasks.store.store"]
    assert any(re.fullmatch(r"train +adapter .* s  built", text) for text in texts), texts
    assert any(text.startswith("stage 1 of ") for _, _, text in log)
    assert min(level for _, level, _ in log) == logging.INFO


def test_the_workers_log_ends_without_a_list_of_leaks(night):
    assert "Finished in state Completed" in night.worker_log
    assert "leaked" not in night.worker_log
    assert "nanobind" not in night.worker_log


def test_a_run_is_named_by_its_day_and_tagged(run, few_users):
    assert run.name == f"{run.expected_start_time:%Y-%m-%d}-smoke"
    assert set(run.tags) == {"profile:smoke", f"data:{few_users.name}", "trigger:person"}


def test_task_runs_are_named_by_what_they_do_and_ablations_are_one_node(client, run):
    (ablations,) = subflows(client, run)
    assert ablations.name == "ablations"

    def names(of):
        only = FlowRunFilter(id={"any_": [of.id]})
        return [one.name for one in client.read_task_runs(flow_run_filter=only, limit=200)]

    assert {"predict llm", "predict candidates", "train adapter", "publish"} <= set(names(run))
    assert {"perturb empty", "ablate empty"} <= set(names(ablations))
    assert not [name for name in names(run) if "ablate" in name]


def test_the_command_line_sends_its_log_and_prints_no_line_of_prefect(client, capsys):
    @flow
    def talk():
        begin_run()
        logging.getLogger("tasks.somewhere").info("a stage's line")
        logging.getLogger("httpx").warning("a library's line")
        raise ValueError("what went wrong")

    configure_logging()
    state = talk(return_state=True)
    send_log()
    log = read_log(client, client.read_flow_run(state.state_details.flow_run_id))
    printed = capsys.readouterr().err
    assert ("tasks.somewhere", logging.INFO, "a stage's line") in log
    assert "a library's line" not in str(log)
    assert any("what went wrong" in text for _, _, text in log)
    assert "a stage's line" in printed
    assert "what went wrong" not in printed


@pytest.fixture(scope="module")
def shown(client, run):
    """The artifacts of the night, by key."""
    only = ArtifactFilter(flow_run_id={"any_": [run.id]})
    found = client.request(
        "POST", "/artifacts/filter", json={"artifacts": only.model_dump(mode="json")}
    )
    return {one["key"]: one for one in found.json()}


def test_leaderboards_have_a_column_for_each_end_of_an_interval(shown, night):
    assert set(shown) == {
        "rating-leaderboard", "list-leaderboard", "decision", "costs", "data", "report",
    }  # fmt: skip
    figures = {
        row[:2]: row[3:]
        for row in read_leaderboard(night.store / "artifacts" / "metrics.duckdb", shown_run(shown))
        if row[2] in (None, 10)
    }
    for key, metric, ascending in (
        ("rating-leaderboard", "rmse", True),
        ("list-leaderboard", "ndcg", False),
    ):
        rows = json.loads(shown[key]["data"])
        assert [row[metric] for row in rows] == sorted(
            (row[metric] for row in rows), reverse=not ascending
        )
        for row in rows:
            found = [row[metric + end] for end in ("", "_low", "_high")]
            assert found == [round(figure, 4) for figure in figures[row["predictor"], metric]]


def shown_run(shown):
    """The run's id."""
    return shown["costs"]["description"].split()[1].rstrip(",")


def test_the_decision_the_costs_and_the_rules_of_the_data_are_shown(shown):
    assert "**is champion now**: the first" in shown["decision"]["data"]
    costs = json.loads(shown["costs"]["data"])
    assert {"adapter", "scores"} <= {row["kind"] for row in costs}
    assert all(row["seconds"] >= 0 for row in costs)
    rules = json.loads(shown["data"]["data"])
    assert re.fullmatch(r"\d+ ratings of \d+ films, 0 in quarantine", shown["data"]["description"])
    assert {row["rows that violate it"] for row in rules} >= {0}
    assert "file://" not in str(shown)


def test_plots_are_in_the_text_itself_as_images_that_load_nothing(shown):
    images = re.findall(
        r"!\[[^]]+\]\(data:image/svg\+xml;base64,([^)]+)\)", shown["report"]["data"]
    )
    assert len(images) == 3  # four steps of training are no line
    for image in images:
        svg = ElementTree.fromstring(base64.b64decode(image))
        assert svg.tag == "{http://www.w3.org/2000/svg}svg"
        assert int(svg.get("width")) > 0
        assert not re.search(rb"href|src=|url\(|@import", base64.b64decode(image))


def test_a_rejection_is_shown_with_its_checks():
    check = {"check_name": "rmse", "slice_value": "every|one", "value": 0.2, "threshold": 0.1}
    text = decision_text(
        {"adapter": "3f2a", "promoted": False, "reason": "rmse [x](y)"}, [check | {"passed": False}]
    )
    assert text.startswith("Adapter `3f2a` **was rejected**: rmse \\[x\\]\\(y\\)\n")
    assert text.splitlines()[-1] == "| rmse | every\\|one | 0.2 | 0.1 | False |"
