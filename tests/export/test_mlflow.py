"""A run goes to MLflow once, and the aliases of its model follow the champion."""

import pytest

pytest.importorskip("mlflow")

from tasks.export.mlflow_runs import connect, export_run, model_name, move_aliases
from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tasks.publish.task import roll_back
from tasks.report.task import write_report


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """MLflow in a database of its own."""
    return connect(f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")


@pytest.fixture(scope="module")
def export(client, publish_run, store):
    """`export(adapter, promoted)`: publish and export its run; return MLflow's run."""

    def run(adapter, promoted):
        scores = publish_run(adapter, promoted)
        report = write_report.fn(scores.fingerprint, scores, store=store)
        export_run(client, scores.fingerprint, report, store)
        (experiment,) = (one for one in client.search_experiments() if "advisor" in one.name)
        runs = client.search_runs([experiment.experiment_id])
        (found,) = (r for r in runs if r.data.tags["content_advisor.run"] == scores.fingerprint)
        return found

    return run


@pytest.fixture(scope="module")
def first(export, adapter):
    """The first run, exported."""
    return export(adapter, True)


def aliases(client, store):
    with open_readonly(metrics_path(store)) as db:
        query = "select dataset, protocol, split_recipe from champion"
        name = model_name(*db.execute(query).fetchone())
    found = client.search_model_versions()
    versions = {str(v.version): v.tags["content_advisor.adapter"] for v in found}
    found = client.get_registered_model(name).aliases
    return {alias: versions[str(version)] for alias, version in found.items()}


def test_a_run_has_its_settings_its_curves_and_its_figures_with_intervals(first, client, store):
    params, metrics, tags = first.data.params, first.data.metrics, first.data.tags
    assert params["adapter.fit.learning_rate"] == "0.1"
    assert params["prompts.context_films"] == "8"
    curve = client.get_metric_history(first.info.run_id, "training.validation_rmse")
    assert [(point.step, point.value) for point in curve] == [(0, 1.1), (2, 1.0)]
    with open_readonly(metrics_path(store)) as db:
        query = "select value, ci95_low, ci95_high from headline where metric = 'rmse'"
        figures = db.execute(query).fetchone()
    ends = ("rmse.llm", "rmse.llm.ci95_low", "rmse.llm.ci95_high")
    assert tuple(metrics[name] for name in ends) == pytest.approx(figures)
    assert "ndcg_at_10.ranked" in metrics
    assert (tags["verdict"], tags["dataset"]) == ("promoted", "made")
    assert first.info.status == "FINISHED"


def test_a_run_has_its_page_and_an_adapter_that_peft_loads(first, client):
    there = {
        file.path
        for folder in ("report", "adapter")
        for file in client.list_artifacts(first.info.run_id, folder)
    }
    assert {"report/report.html", "adapter/README.md", "adapter/adapter_config.json"} <= there


def test_exporting_again_adds_nothing(first, export, client, adapter):
    assert export(adapter, True).info.run_id == first.info.run_id
    assert len(client.search_model_versions()) == 1


def test_the_aliases_follow_the_gate_and_a_rollback(first, export, client, adapter, train, store):
    assert aliases(client, store) == {"champion": adapter.fingerprint}
    second = train(0.2)
    assert export(second, False).data.tags["verdict"] == "rejected"
    both = {"champion": adapter.fingerprint, "challenger": second.fingerprint}
    assert aliases(client, store) == both
    roll_back.fn(to=second.fingerprint, store=store)
    with open_readonly(metrics_path(store)) as db:
        move_aliases(client, db)
    assert aliases(client, store) == {"champion": second.fingerprint}
    roll_back.fn(to=adapter.fingerprint, store=store)
    with open_readonly(metrics_path(store)) as db:
        move_aliases(client, db)
    assert aliases(client, store) == both
