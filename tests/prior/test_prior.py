"""A prior comes from what was earlier, and the same models predict targets and candidates."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest

from tasks.features import affinity
from tasks.features.affinity import film_affinity, unit_rows
from tasks.features.factors import Factors
from tasks.features.fold_in import fold_in
from tasks.features.histories import RatedFilms, known_to_fold
from tasks.features.residual_trees import ResidualTrees, tilt
from tasks.features.stretches import number_stretches
from tasks.prior.bayesian_fm import fit_bayesian_fm
from tasks.prior.task import predict_candidate_priors
from tasks.store.artifacts import Candidates
from tests.prior.conftest import SCALE, make_split

KEY = ["fold", "user_id", "film_id"]


def numbered(table: pl.DataFrame, by_time: bool = False) -> pl.DataFrame:
    stretches = number_stretches(table, 3, by_time=by_time)
    return table.with_columns(stretch=pl.Series(stretches.number))


def turn(table: pl.DataFrame, chosen: pl.Expr) -> pl.DataFrame:
    """The chosen ratings, turned around."""
    return table.with_columns(rating=pl.when(chosen).then(6 - pl.col("rating")).otherwise("rating"))


@pytest.mark.parametrize("protocol", ["leave-last-2", "global-time-0.8"])
@pytest.mark.parametrize("stretch", [1, 2, 4, 5])
def test_no_prior_moves_with_ratings_of_its_own_or_a_later_stretch(build, stretch, protocol):
    """Of its own user's earlier ratings in the stretch the trees know: they are in the context."""
    table = numbered(make_split(), protocol.startswith("global"))
    own = table.filter(stretch=stretch)
    user = int(own["user_id"][0])
    late = (pl.col("stretch") >= stretch) & (pl.col("user_id") != user)
    first = own.filter(user_id=user)["position"].min()
    late |= (pl.col("user_id") == user) & (pl.col("position") >= first)
    before, after = (
        build(made.drop("stretch"), protocol)[2].scan("priors").collect()
        for made in (table, turn(table, late))
    )
    same = before.filter(pl.col("stretch") < stretch)
    assert same.equals(after.filter(pl.col("stretch") < stretch))
    film = own.filter(user_id=user, position=first)["film_id"][0]
    assert before.filter(user_id=user, film_id=film).equals(
        after.filter(user_id=user, film_id=film)
    )
    if stretch == 1:
        later = pl.col("stretch") > stretch
        assert not before.filter(later).equals(after.filter(later))  # there they are learnt from


def test_the_first_stretch_has_no_prior_and_every_other_rating_has_one(build):
    table = numbered(make_split())
    priors = build(make_split())[2].scan("priors").collect()
    expected = table.filter(pl.col("stretch") > 0).select(KEY).sort(KEY)
    assert priors.select(KEY).equals(expected)
    p = np.exp(np.array(priors["log_p"].to_list()))
    assert np.allclose(p.sum(1), 1, atol=1e-5)


def test_stretches_are_equal_parts_of_each_history():
    table = numbered(make_split()).filter(fold="train")
    sizes = table.group_by("user_id", "stretch").len().group_by("user_id").agg(pl.col("len").sort())
    assert all(max(own) - min(own) <= 1 for own in sizes["len"])


def test_a_question_knows_no_later_rating_and_targets_know_the_whole_history(build):
    split, valid, priors = build(make_split())
    rated = RatedFilms.load(split, valid)
    stretches = rated.number_stretches(3, split)
    questions = rated.questions(rated.expected(priors), stretches, horizon=2)
    row, start = np.arange(len(rated.table)), np.searchsorted(rated.user, rated.user)
    assert (questions.start == start).all()
    assert ((start <= questions.end) & (questions.end <= row)).all()
    assert ((row - questions.end)[rated.table["fold"] == "train"] < 2).all()
    known = [known_to_fold(rated.table, fold) for fold in ("validation", "test")]
    for fold, of_fold in zip(("validation", "test"), known, strict=True):
        for at in np.flatnonzero(rated.table["fold"] == fold):
            assert questions.end[at] - start[at] == (of_fold & (rated.user == rated.user[at])).sum()
            assert questions.count[at] == (of_fold & (rated.film == rated.film[at])).sum()


def test_near_films_of_the_shown_history_decide_the_affinity():
    vectors = unit_rows(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [-1.0, 0.0]]))
    film, residual = np.array([1, 2, 3, 1]), np.array([1.0, -1.0, 5.0, 9.0])
    question = np.array([0]), np.array([0]), np.array([3])
    near = float(vectors[0] @ vectors[1]) ** 2  # the last rating is behind the history's end
    expected = near / (near + 1)
    assert film_affinity(vectors, film, residual, *question) == pytest.approx(expected)


def test_the_affinity_is_the_same_in_parts_of_any_size(monkeypatch):
    draw = np.random.default_rng(0)
    vectors, film = unit_rows(draw.normal(size=(30, 4))), draw.integers(0, 30, 50)
    start = np.repeat([0, 20], [20, 30])
    questions = draw.integers(0, 30, 50), start, start + draw.integers(0, 20, 50)
    residual = draw.normal(size=50)
    whole = film_affinity(vectors, film, residual, *questions)
    assert len(np.unique(whole)) > 40
    for size in (1, 7):
        monkeypatch.setattr(affinity, "CANDIDATES", size)
        parts = film_affinity(vectors, film, residual, *questions)
        np.testing.assert_allclose(parts, whole, atol=1e-12)


def test_a_candidate_that_is_a_target_has_the_target_s_prior(build, store):
    split, valid, priors = build(make_split())
    targets = priors.scan("priors").filter(pl.col("fold") != "train").collect()
    rows = targets.select("fold", "user_id", "film_id", score=pl.lit(1.0)).with_columns(
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("fold", "user_id")
    )
    candidates = store.build(
        Candidates,
        recipe={},
        parents=[split],
        write=lambda draft: (
            rows.select("fold", "user_id", "rank", "film_id", "score")
            .sort("fold", "user_id", "rank")
            .write_parquet(draft / "candidates.parquet")
        ),
    )
    found = predict_candidate_priors.fn(priors, split, valid, candidates, store=store)
    found = found.scan("priors").collect()
    assert found.select(KEY).equals(targets.select(KEY))
    machine, prior = (
        [np.array(table[name].to_list()) for table in (found, targets)]
        for name in ("machine_log_p", "log_p")
    )
    np.testing.assert_allclose(*machine, atol=1e-6)
    # Candidates are asked for at the time of the fold's first target.
    table = split.scan("ratings").collect().sort(KEY).filter(role="target")
    first = table["rated_at"] == table.select(pl.col("rated_at").min().over(KEY[:2])).to_series()
    assert not np.allclose(prior[0], machine[0], atol=1e-3)  # trees were learnt
    np.testing.assert_allclose(*(p[first.to_numpy()] for p in prior), atol=1e-6)


def test_a_fitted_person_folded_in_gets_nearly_the_fitted_ratings(build):
    split, _, priors = build(make_split())
    factors = Factors.load(priors.path / "factors-test.safetensors")
    films, scale = np.arange(factors.films.shape[1]), np.array(SCALE)
    differences = []
    for user in range(0, 60, 9):
        own = split.scan("ratings").filter(pl.col("user_id") == user + 1, pl.col("fold") != "test")
        table = own.collect()
        code = table["rating"].to_numpy().astype(int) - 1
        vector = fold_in(factors, table["film_id"].to_numpy() - 1, code).draw(seed=0)
        folded = Factors(vector[:, None], factors.films, factors.cuts, factors.present, 5)
        fitted = factors.probabilities(np.full(len(films), user), films) @ scale
        differences.append(folded.probabilities(np.zeros(len(films), int), films) @ scale - fitted)
    assert np.sqrt(np.mean(np.square(differences))) < 0.35


def test_a_tilted_distribution_has_the_wanted_mean_and_order():
    draw = np.random.default_rng(0)
    p, scale = draw.dirichlet(np.ones(5), 100), np.array(SCALE)
    wanted = np.clip(p @ scale + draw.normal(0, 0.5, 100), 1.1, 4.9)
    tilted = tilt(p, scale, wanted)
    np.testing.assert_allclose(tilted @ scale, wanted, atol=1e-6)
    np.testing.assert_allclose(tilt(p, scale, p @ scale), p, atol=1e-9)


def test_trees_find_a_drift_and_without_ratings_change_nothing(tmp_path):
    draw, scale = np.random.default_rng(1), np.array(SCALE)
    behaviour = draw.normal(size=(3000, 10))
    p = draw.dirichlet(np.full(5, 3.0), 3000)
    drifted = tilt(p, scale, np.clip(p @ scale + 0.5 * behaviour[:, 0], 1.1, 4.9))
    code = (drifted.cumsum(1) < draw.random((3000, 1))).sum(1)
    trees = ResidualTrees.fit(behaviour[:2000], p[:2000], code[:2000], scale, 0)
    trees.save(tmp_path, "trees")
    loaded = ResidualTrees.load(tmp_path, "trees")
    corrected = loaded.correct(behaviour[2000:], p[2000:], scale)
    error, before = (q @ scale - drifted[2000:] @ scale for q in (corrected, p[2000:]))
    assert np.mean(error**2) < 0.3 * np.mean(before**2)
    np.testing.assert_array_equal(corrected, trees.correct(behaviour[2000:], p[2000:], scale))
    nothing = ResidualTrees.fit(behaviour[:9], p[:9], code[:9], scale, 0)
    np.testing.assert_array_equal(nothing.correct(behaviour, p, scale), p)


def test_ratings_that_are_all_equal_are_expected_to_stay_so():
    same = np.zeros(6, int)
    shape = {"users": 2, "films": 3, "values": 5, "rank": 2, "draws": 12, "kept": 4, "seed": 0}
    factors = fit_bayesian_fm(np.arange(6) % 2, np.arange(6) % 3, same + 3, **shape)
    p = factors.probabilities(np.array([0, 1]), np.array([2, 0]))
    assert (p.argmax(1) == 3).all()
    assert (p[:, 3] > 0.999).all()


def test_a_film_that_nobody_rated_is_expected_as_those_of_its_period_are():
    period = np.arange(12) % 2
    user, film = (places.ravel() for places in np.mgrid[:20, :10])
    shape = {"users": 20, "films": 12, "values": 2, "rank": 2, "draws": 60, "kept": 20, "seed": 0}
    even, odd = np.array([10]), np.array([11])
    liked = {}
    for given in (period, None):
        factors = fit_bayesian_fm(user, film, 1 - film % 2, period=given, **shape)
        p = [factors.probabilities(np.array([0]), unrated)[0, 1] for unrated in (even, odd)]
        liked[given is None] = p[0] - p[1]
    assert liked[False] > 0.3 > abs(liked[True])


def test_fits_end_with_the_process_that_started_them(tmp_path, build):
    split, valid, _ = build(make_split())
    code = f"""
from pathlib import Path
from tasks.prior.config import Prior
from tasks.prior.task import fit_priors
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.store.store import Store
given = (SplitRatings(Path({str(split.path)!r}), {split.fingerprint!r}),
         ValidatedRatings(Path({str(valid.path)!r}), {valid.fingerprint!r}))
config = Prior(stretches=3, draws=10**6, stretch_draws=10**6)
if __name__ == "__main__":
    fit_priors.fn(*given, config=config, store=Store(Path({str(tmp_path / "other")!r})))
"""
    (tmp_path / "fit.py").write_text(code)
    started = subprocess.Popen([sys.executable, str(tmp_path / "fit.py")], env=environment())
    parent = psutil.Process(started.pid)
    while not (fits := [p for p in parent.children() if p.cpu_times().user > 0.5]):
        assert started.poll() is None
    parent.kill()
    started.wait()
    assert psutil.wait_procs(fits, timeout=60)[1] == []


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
