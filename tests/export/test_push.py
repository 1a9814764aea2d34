"""An adapter and its prompts leave the store as peft, datasets and the hub expect them."""

import base64
import json
import re

import polars as pl
import pytest
from datasets import load_dataset
from huggingface_hub import ModelCard, constants

from tasks.export.push import PushError, push
from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tests.servers import hub


@pytest.fixture(scope="module")
def folders(store, adapter, run_id, tmp_path_factory):
    """The adapter and its prompts, each in a folder."""
    root = tmp_path_factory.mktemp("pushed")
    for what in ("adapter", "prompts"):
        push(adapter, str(root / what), what, store)
    return root


def test_peft_alone_loads_and_merges_the_folder_and_expects_the_same_ratings(
    folders, predictions, monkeypatch
):
    """By the code on the card; no code of ours."""
    monkeypatch.chdir(folders / "adapter")
    (code,) = re.findall(r"```python\n(.*?)```", (folders / "adapter/README.md").read_text(), re.S)
    shown = {}
    exec(code, shown)
    rows = pl.read_parquet(folders / "prompts/rate/test.parquet").sort("user_id", "film_id")
    ours = predictions.scan("ratings").filter(predictor="llm", fold="test").collect()
    assert len(rows) == len(ours) > 90
    for row, mean in zip(rows.iter_rows(named=True), ours["mean"], strict=True):
        expected = shown["expected_rating"](row["tokens"], row["log_prior"])
        assert expected == pytest.approx(mean, abs=1e-3)


def test_the_card_has_the_published_metrics_with_their_intervals(folders, store, run_id, ratings):
    results = ModelCard.load(folders / "adapter/README.md").data.eval_results
    with open_readonly(metrics_path(store)) as db:
        query = "select value, ci95_low, ci95_high, n from leaderboard where metric = 'rmse'"
        ((value, low, high, n),) = db.execute(query + " and predictor = 'llm'").fetchall()
    (rmse,) = [one for one in results if one.metric_type == "rmse"]
    assert rmse.metric_value == pytest.approx(value, abs=5e-5)
    assert rmse.metric_args["ci95"] == pytest.approx([low, high], abs=5e-5)
    assert (rmse.metric_args["n"], rmse.dataset_split) == (n, "test")
    assert (rmse.dataset_name, rmse.dataset_revision) == ("made", ratings.fingerprint)


def test_prompts_load_as_a_data_set_and_as_jsonl(folders, prompts, tmp_path):
    """Each rating is a completion, and prompt and completion are the text that is trained on."""
    loaded = load_dataset(str(folders / "prompts"), "rate", cache_dir=str(tmp_path))
    assert set(loaded) == {"train", "validation", "test"}
    examples = prompts.scan("examples").filter(fold="test", kind="rate").collect()
    texts = [
        row["context"] + row["question"] + answer
        for row in examples.iter_rows(named=True)
        for answer in row["answers"]
    ]
    assert [row["prompt"] + row["completion"] for row in loaded["test"]] == texts
    assert all(float(row["completion"]) == row["rating"] for row in loaded["test"])
    lines = (folders / "prompts/trl/rate-test.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"prompt": row["prompt"], "completion": row["completion"]} for row in loaded["test"]
    ]
    lists = load_dataset(str(folders / "prompts"), "recommend", cache_dir=str(tmp_path))
    assert len(lists["train"]) > 0


def test_the_hub_gets_every_file_in_one_commit_to_a_private_repository(
    folders, store, adapter, run_id, monkeypatch
):
    with hub() as (address, requests):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setenv("HF_TOKEN", "hush")
        pushed = push(adapter, "owner/name", "adapter", store)
    assert pushed == f"{address}/owner/name/commit/{'0' * 40}"
    created, commit = requests[0], requests[-1]
    assert (created[0], created[1]) == ("/api/repos/create", "Bearer hush")
    assert json.loads(created[2])["visibility"] == "private"
    assert commit[0] == "/api/models/owner/name/commit/main"
    header, *files = map(json.loads, commit[2].splitlines())
    assert run_id in header["value"]["summary"]
    sent = {f["value"]["path"]: base64.b64decode(f["value"]["content"]) for f in files}
    folder = folders / "adapter"
    there = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    assert sent == there


def test_a_push_that_cannot_be_is_refused(folders, store, adapter, run_id, monkeypatch, tmp_path):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(FileExistsError, match="has files: name a folder that is new or empty"):
        push(adapter, str(tmp_path), "adapter", store)
    with pytest.raises(PushError, match='"name" is neither owner/name nor a folder'):
        push(adapter, "name", "adapter", store)
    with hub(refused=403) as (address, _):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        with pytest.raises(PushError, match="the hub did not take owner/name"):
            push(adapter, "owner/name", "prompts", store)
