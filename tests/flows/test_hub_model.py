"""Profile `nightly` with a BLOOM in hub layout: words as BLOOM's tokenizer splits them, half stars.

Its weights are random, its shape lies between bloom-mini's and BLOOM-560m's: what a GPU would take
is exercised on the CPU, to report and recommendations. One user is outside the prior's fit.
"""

import numpy as np
import polars as pl
import pytest
from prefect.testing.utilities import prefect_test_harness

from bench.gpu_run import write_base, write_few_users
from flows.nightly import nightly
from flows.settings import open_store
from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tasks.serve.swap import serving_folder
from tasks.store.artifacts import Prompts, RankedLists, RatingPriors

pytestmark = pytest.mark.slow  # 40 million parameters
USERS, CANDIDATES = 8, 20


def test_a_bloom_of_a_local_folder_goes_to_report_and_recommendations(
    tmp_path, monkeypatch, ml_latest_small
):
    write_few_users(ml_latest_small, data := tmp_path / "csv", USERS)
    titles = pl.read_csv(data / "movies.csv")["title"].to_list()
    write_base(base := tmp_path / "bloom", "middle", titles)
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(tmp_path / "store"))
    overrides = {
        "needs_gpu": False,
        "base": {"name": str(base)},
        "encoder": {"name": str(base)},
        "ingest": {"data": str(data)},
        "split": {"test_users": 3, "validation_users": 3},
        "prior": {"users": USERS - 1},
        "retrieve": {"candidates": CANDIDATES},
        "train": {"fit": {"max_steps": 4, "validate_steps": 4, "validation_examples": 4}},
        "ablation": {"perturbations": ["empty"], "users": 2},
        "memorization": {"rows": 4},
        "serving": {"min_full_share": 0.0, "max_film_share": 1.0},
    }
    with prefect_test_harness(server_startup_timeout=180):
        nightly("nightly", overrides=overrides)
    store = open_store()
    (prompts, *_) = store.find_all(Prompts)
    assert 0.5 in prompts.metadata["scale"]
    fitted = [made.path / "users.npz" for made in store.find_all(RatingPriors)]
    assert {len(np.load(file)["users"]) for file in fitted if file.exists()} == {USERS - 1}
    named = pl.concat(
        made.scan("lists").select("predictor").collect() for made in store.find_all(RankedLists)
    )
    assert {"llm", "ranked", "ease"} <= set(named["predictor"])
    with open_readonly(metrics_path(store)) as db:
        found = db.execute("select predictor, value from latest where metric = 'rmse'").fetchall()
    assert {"llm", "blend"} <= {name for name, _ in found}
    assert all(0.5 < value < 2.5 for _, value in found)
    lists = pl.read_parquet(serving_folder(store.root) / "current" / "recommendations.parquet")
    assert lists["user_id"].n_unique() == USERS
    seen = pl.read_csv(data / "ratings.csv").select(user_id="userId", film_id="movieId")
    assert (
        lists.with_columns(pl.col("user_id", "film_id").cast(pl.Int64))
        .join(seen, on=["user_id", "film_id"])
        .is_empty()
    )
