"""Exports a published run to MLflow: settings, metrics, artifacts, and the adapter as a version.

MLflow is imported here only. Every call can be repeated: what is there already stays.
"""

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # it would tell its makers what is called

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException

from tasks.export.adapter_folder import write_adapter_folder
from tasks.metrics_db import open_readonly
from tasks.metrics_location import migrated_metrics
from tasks.store.artifacts import Adapter, Report
from tasks.store.store import Store

EXPERIMENT = "content-advisor"
RUN, ADAPTER = "content_advisor.run", "content_advisor.adapter"  # tags
AT_ONCE = 100  # parameters of a batch, at most
ABOUT = """
select profile, dataset, protocol, commit, epoch_ms(run_at) as ended,
    ended - cast(1000 * (select coalesce(sum(seconds) filter (not cache_hit), 0)
        from stages as s where s.run_id = r.run_id) as bigint) as began
from runs as r where run_id = ?"""
PARAMETERS = """
select kind || '.' || setting, string_agg(value, ' ' order by value) from settings
where run_id = ? and not starts_with(setting, 'statements.') group by all order by all"""
METRICS = """
select predictor, metric || coalesce('_at_' || k, ''), value, ci95_low, ci95_high from headline
where run_id = ? and (
    metric in ('rmse', 'mae', 'within_half', 'auc') or metric in ('ndcg', 'recall') and k = 10)"""
TRAINING = """
unpivot (select step, loss, learning_rate, validation_loss, validation_rmse
    from training where run_id = ?) on columns(* exclude step)"""
CHAMPIONS = """
select c.adapter, c.dataset, c.protocol, c.split_recipe, (
    select arg_max(d.adapter, r.run_at) from champions as d join runs as r using (run_id)
    where r.dataset = c.dataset and r.split_recipe = c.split_recipe) as newest
from champion as c"""


def connect(uri: str) -> MlflowClient:
    """MLflow at `http://...`, or in a file, `sqlite:////path/mlflow.db`."""
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def export_run(client: MlflowClient, run_id: str, report: Report, store: Store) -> None:
    """Export a run, register its adapter unless that is done, and move the aliases.

    Raises MlflowException where MLflow does not take it.
    """
    with open_readonly(migrated_metrics(store)) as db:
        _log_run(client, db, run_id, report, store)
        move_aliases(client, db)


def move_aliases(client: MlflowClient, db: duckdb.DuckDBPyConnection) -> None:
    """`champion`: who is; `challenger`: the newest run's adapter, where it is another one."""
    for champion, dataset, protocol, recipe, newest in db.execute(CHAMPIONS).fetchall():
        name = model_name(dataset, protocol, recipe)
        versions = _versions(client, name)
        for alias, adapter in (
            ("champion", champion),
            ("challenger", None if newest == champion else newest),
        ):
            if adapter in versions:
                client.set_registered_model_alias(name, alias, versions[adapter])
            elif versions:
                client.delete_registered_model_alias(name, alias)


def model_name(dataset: str, protocol: str, recipe: str) -> str:
    """The registered model of a data set and a recipe of its split."""
    return re.sub(r"[^\w.-]", "-", f"{EXPERIMENT}.{dataset}.{protocol}.{recipe[:8]}")


def _log_run(
    client: MlflowClient, db: duckdb.DuckDBPyConnection, run_id: str, report: Report, store: Store
) -> None:
    experiment = _experiment(client)
    earlier = client.search_runs([experiment], f"tags.`{RUN}` = '{run_id}'")
    if any(run.info.status == "FINISHED" for run in earlier):
        return
    for unfinished in earlier:
        client.delete_run(unfinished.info.run_id)
    ((profile, dataset, protocol, commit, ended, began),) = db.execute(ABOUT, [run_id]).fetchall()
    tags = {RUN: run_id, "profile": profile, "dataset": dataset, "protocol": protocol}
    tags |= {"mlflow.source.git.commit": commit} if commit else {}
    run = client.create_run(experiment, began, tags, run_name=f"{profile} {run_id[:8]}").info
    parameters = [Param(*row) for row in db.execute(PARAMETERS, [run_id]).fetchall()]
    for first in range(0, len(parameters), AT_ONCE):
        client.log_batch(run.run_id, params=parameters[first : first + AT_ONCE])
    steps = db.execute(TRAINING, [run_id]).fetchall()
    logged = [Metric(f"training.{name}", value, ended, step) for step, name, value in steps]
    for predictor, metric, value, low, high in db.execute(METRICS, [run_id]).fetchall():
        ends = {"": value, ".ci95_low": low, ".ci95_high": high}
        logged += [Metric(f"{metric}.{predictor}{end}", ends[end], ended, 0) for end in ends]
    client.log_batch(run.run_id, metrics=logged)
    client.log_artifacts(run.run_id, str(report.path), "report")
    decided = db.execute(
        "select adapter, promoted, reason, split_recipe from champions join runs using (run_id) "
        "where run_id = ? order by decided_at limit 1",
        [run_id],
    ).fetchone()
    if decided:
        adapter, promoted, reason, recipe = decided
        verdict = {"verdict": "promoted" if promoted else "rejected", "reason": reason}
        client.log_batch(run.run_id, tags=[RunTag(*each) for each in verdict.items()])
        with TemporaryDirectory() as folder:
            write_adapter_folder(Path(folder), store.find(Adapter, adapter), store)
            client.log_artifacts(run.run_id, folder, "adapter")
        name, source = model_name(dataset, protocol, recipe), f"{run.artifact_uri}/adapter"
        _register(client, name, adapter, source, run.run_id)
    client.set_terminated(run.run_id, RunStatus.to_string(RunStatus.FINISHED), ended)


def _register(client: MlflowClient, name: str, adapter: str, source: str, run: str) -> None:
    """A version of the model, unless the adapter has one: a rescored run makes none."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    if adapter not in _versions(client, name):
        client.create_model_version(name, source, run, tags={ADAPTER: adapter})


def _versions(client: MlflowClient, name: str) -> dict[str, str]:
    """Number of the version of each adapter of a model, by fingerprint."""
    found = client.search_model_versions(f"name = '{name}'")
    return {
        version.tags[ADAPTER]: str(version.version) for version in found if ADAPTER in version.tags
    }


def _experiment(client: MlflowClient) -> str:
    """Its id. Artifacts of a database in a file are beside it; a server says where its own are."""
    if found := client.get_experiment_by_name(EXPERIMENT):
        return str(found.experiment_id)
    kind, _, file = client.tracking_uri.partition(":///")
    beside = Path(file).resolve().with_name("mlflow-artifacts").as_uri()
    return str(client.create_experiment(EXPERIMENT, beside if kind == "sqlite" else None))
