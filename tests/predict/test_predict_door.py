"""The door: whole tables, true lists, and the same bytes however the work is cut."""

import json

import numpy as np
import polars as pl
import pytest
import torch

from tasks.hub import load_adapted
from tasks.nn.examples import Examples
from tasks.predict.config import Predict
from tasks.predict.task import predict
from tasks.store.store import Store

CONFIG = Predict(list_length=4, users_per_part=7)


@pytest.fixture(scope="module")
def found(adapter, base, prompts, histories, house):
    return predict.fn(adapter, base, prompts, histories, config=CONFIG, store=house)


@pytest.fixture(scope="module")
def ratings(found) -> pl.DataFrame:
    return found.scan("ratings").filter(predictor="llm").collect()


def test_every_target_has_its_distribution_once(ratings, histories):
    targets = histories.scan("ratings").filter(pl.col("role") == "target").collect()
    key = ["fold", "user_id", "film_id", "rating"]
    assert ratings.select(key).equals(targets.select(key).sort(key[:3]))
    p = np.array(ratings["probabilities"].to_list())
    assert np.allclose(p.sum(1), 1, atol=1e-6)
    assert np.allclose(p @ [1, 2, 3, 4, 5], ratings["mean"], atol=1e-5)


def test_greedy_text_is_kept_beside(found, ratings):
    greedy = found.scan("ratings").filter(predictor="llm_greedy").collect()
    key = ["fold", "user_id", "film_id", "rating"]
    assert greedy.select(key).equals(ratings.select(key))
    told = json.loads((found.path / "calibration.json").read_text())
    p = np.log(np.array(ratings["probabilities"].to_list())) - np.array(told["offsets"])
    assert greedy["mean"].to_list() == ((p / told["sharpness"]).argmax(1) + 1).tolist()
    assert greedy["probabilities"].null_count() == len(greedy)


@torch.no_grad()
def test_expectations_equal_the_plain_path(found, ratings, adapter, base, prompts):
    """Each prompt alone through the stock library, within 1e-3 before calibration."""
    model = load_adapted(base, adapter)
    examples = prompts.scan("examples").filter(fold="test", kind="rate").collect()
    words = json.loads((base.path / "tokenizer.json").read_text())["model"]["vocab"]
    spelt = [words[f"{n}.0"] for n in range(1, 6)]
    calibration = json.loads((found.path / "calibration.json").read_text())
    scale, offsets = np.arange(1, 6), np.array(calibration["offsets"])
    expected = {}
    for row, example in zip(
        examples.iter_rows(named=True), Examples.from_table(examples.to_arrow()), strict=True
    ):
        for b, branch in enumerate(example.branches):
            shown = [*example.prefix, *branch[: example.spans.start[b]]]
            logits = model(input_ids=torch.tensor([shown])).logits[0, -1, spelt]
            log_p = torch.log_softmax(logits.double(), 0).numpy()
            p = np.exp(calibration["sharpness"] * log_p + offsets)
            expected[row["user_id"], row["film_ids"][b]] = p @ scale / p.sum()
    test = ratings.filter(fold="test")
    plain = [expected[key] for key in zip(test["user_id"], test["film_id"], strict=True)]
    assert len(plain) == len(expected)
    assert np.abs(test["mean"].to_numpy() - plain).max() < 1e-3


def test_lists_are_whole_and_name_only_news(found, histories, trusted):
    lists = found.scan("lists").collect()
    rows = histories.scan("ratings").collect()
    targets = rows.filter(fold="test", role="target")
    seen = rows.join(targets, on=["user_id", "film_id"], how="anti")
    assert lists.join(seen, on=["user_id", "film_id"], how="inner").is_empty()
    assert lists.select("user_id", "rank").equals(
        pl.DataFrame(
            [(user, rank) for user in range(1, 25) for rank in range(1, 5)],
            lists.select("user_id", "rank").schema,
            orient="row",
        )
    )
    assert lists.select("user_id", "film_id").is_unique().all()
    films = trusted.scan("films").select("film_id", true="title").collect()
    named = lists.join(films, on="film_id")
    assert len(named) == len(lists)
    assert (named["title"] == named["true"]).all()
    assert lists["rating"].is_between(1, 5).all()
    assert lists["error"].null_count() == len(lists)
    assert (lists["score"].diff().filter(lists["rank"] > 1) <= 0).all()


@pytest.mark.parametrize("decoding", ["greedy", "beam", "sample"])
def test_batch_size_changes_no_byte(decoding, tmp_path, adapter, base, prompts, histories):
    written = []
    for rows in (1, 3, 16):
        config = CONFIG.model_copy(update={"rows_at_once": rows, "decoding": decoding})
        made = predict.fn(
            adapter, base, prompts, histories, config=config, store=Store(tmp_path / str(rows))
        )
        written.append({f.name: f.read_bytes() for f in made.path.glob("*.parquet")})
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_where_memory_runs_out_less_is_done_at_once(
    error, tmp_path, monkeypatch, adapter, base, prompts, histories
):
    """The bytes are those of a night with room enough; only what does not fit is halved."""
    from tasks.predict import reading, rows

    config = CONFIG.model_copy(update={"decoding": "sample"})
    doors = (adapter, base, prompts, histories)
    roomy = predict.fn(*doors, config=config, store=Store(tmp_path / "roomy"))
    refused = []

    def limited(run, size):
        def of(*given):
            if size(given) > 40:
                refused.append(size(given))
                raise error("no room")
            return run(*given)

        return of

    passes = limited(reading.hidden_states, lambda given: 8 * len(given[1].tokens))
    steps = limited(rows.extend, lambda given: int((given[2] > 0).sum()) * 8)
    monkeypatch.setattr(reading, "hidden_states", passes)
    monkeypatch.setattr(rows, "extend", steps)
    tight = predict.fn(*doors, config=config, store=Store(tmp_path / "tight"))
    assert refused
    for name in ("ratings.parquet", "lists.parquet"):
        assert (tight.path / name).read_bytes() == (roomy.path / name).read_bytes()


def test_one_row_that_does_not_fit_is_told(
    tmp_path, monkeypatch, adapter, base, prompts, histories
):
    def full(*_):
        raise MemoryError("no room for one row")

    monkeypatch.setattr("tasks.readout.inference.hidden_states", full)
    with pytest.raises(MemoryError, match="no room for one row"):
        predict.fn(adapter, base, prompts, histories, config=CONFIG, store=Store(tmp_path))


def test_a_killed_night_is_gone_on_with(
    tmp_path, monkeypatch, adapter, base, prompts, histories, found
):
    from tasks.predict import parts

    store, finished, whole = Store(tmp_path), [], parts.finish_part

    def killed_after_three(folder, part, make):
        if len(finished) == 3:
            raise KeyboardInterrupt
        finished.append(part.name)
        whole(folder, part, make)

    monkeypatch.setattr(parts, "finish_part", killed_after_three)
    with pytest.raises(KeyboardInterrupt):
        predict.fn(adapter, base, prompts, histories, config=CONFIG, store=store)
    (kept,) = store.root.glob("artifacts/predictions/.draft-*/parts")
    assert sorted(file.name for file in kept.iterdir()) == sorted(finished)
    made_again = []

    def counted(folder, part, make):
        made_again.append(part.name)
        whole(folder, part, make)

    monkeypatch.setattr(parts, "finish_part", counted)
    again = predict.fn(adapter, base, prompts, histories, config=CONFIG, store=store)
    assert made_again
    assert not set(finished) & set(made_again)
    for name in ("ratings.parquet", "lists.parquet"):
        assert (again.path / name).read_bytes() == (found.path / name).read_bytes()
