"""Figures on CoLLM's split: by the definitions of its code, and without a look at later folds."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from bench.collm import BLENDS, measure
from bench.collm_figures import Figures, auc_by_user, mix, weighted_auc
from bench.collm_predict import load_split
from bench.collm_process import NOISE, posterior_means
from tasks.features.behaviour import Questions
from tasks.store.store import Store

DAY = 86_400
USERS, FILMS, EACH = 12, 15, 9


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A made-up split of that form: a row a day, cut by time into train, valid and test."""
    draw = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        for place, film in enumerate(draw.permutation(FILMS)[:EACH]):
            fold = "train" if place < 5 else "valid" if place < 7 else "test"
            when = 10**9 + DAY * (100 * place + user)
            rows.append((fold, user + 1, int(film) + 1, int(draw.random() < 0.6), when))
    names = ["fold", "user_id", "film_id", "liked", "timestamp"]
    folder = tmp_path_factory.mktemp("collm")
    pl.DataFrame(rows, names, orient="row").write_parquet(folder / "ratings.parquet")
    titles = [f"Film {film} ({1990 + film})" for film in range(1, FILMS + 1)]
    films = pl.DataFrame({"film_id": range(1, FILMS + 1), "title": titles})
    films.write_parquet(folder / "films.parquet")
    return folder


@pytest.fixture(scope="module")
def data(source):
    return load_split(source, source / "work", Store(source / "store"))


@pytest.fixture
def ratings():
    draw = np.random.default_rng(1)
    user, liked = draw.integers(8, size=200), draw.random(200) < 0.5
    return np.round(liked + draw.normal(size=200), 1), liked, user  # with equal scores


def test_auc_is_sklearns_also_where_ratings_count_several_times(ratings):
    score, liked, _ = ratings
    weights = np.random.default_rng(2).integers(0, 4, size=(3, 200)).astype(float)
    found = weighted_auc(score, liked, weights)
    assert found == pytest.approx([roc_auc_score(liked, score, sample_weight=w) for w in weights])


def test_uauc_is_the_plain_mean_over_users_with_ratings_of_both_kinds(ratings):
    score, liked, user = ratings
    liked = liked | (user == 3)
    own = [roc_auc_score(liked[user == u], score[user == u]) for u in np.unique(user) if u != 3]
    figures = Figures(liked, user, seeds=1, resamples=3)
    assert figures.uauc(score[None])[0] == pytest.approx(np.mean(own))
    assert np.isnan(auc_by_user(score, liked, user)[3])


def test_a_figure_is_the_mean_over_seeds_and_resamples_are_of_users_and_seeds(ratings):
    score, liked, user = ratings
    figures = Figures(liked, user, seeds=2, resamples=200)
    both = np.stack([score, -score])
    for metric in (figures.auc, figures.uauc):
        resampled = metric(both)
        assert resampled[0] == pytest.approx(0.5)
        only_first = resampled > 0.55  # a resample may hold one seed twice
        assert 0.15 < only_first.mean() < 0.35


def test_a_mix_learns_only_from_the_ratings_that_it_may_know(ratings):
    score, liked, _ = ratings
    p, noise = 1 / (1 + np.exp(-score)), np.random.default_rng(3).uniform(0.1, 0.9, 200)
    known = np.arange(200) < 100
    turned = np.where(known, liked, ~liked)
    assert np.array_equal(mix([p, noise], liked, known), mix([p, noise], turned, known))
    assert not np.array_equal(mix([p, noise], liked, known), mix([p, noise], ~liked, known))


def test_validation_and_test_are_targets_and_nothing_else_is(source, data):
    given = pl.read_parquet(source / "ratings.parquet").sort("user_id", "timestamp")
    assert (data.rated.table["role"] == "target").to_list() == (given["fold"] != "train").to_list()
    assert data.liked.astype(int).tolist() == given["liked"].to_list()


def test_a_question_in_time_knows_what_its_user_rated_before_it(data):
    rated = data.rated
    p = np.full((len(rated.table), 5), 0.2)
    stretches = rated.number_stretches(3, data.split)
    end = rated.questions_in_time(p, stretches).end
    assert (end == np.arange(len(end))).all()  # no two ratings of a user at once
    first = np.searchsorted(rated.user, rated.user) + 5
    strict = rated.questions(p, stretches, 1)
    targets = (rated.table["role"] == "target").to_numpy()
    assert (strict.end[targets] == first[targets]).all()
    assert np.isnan(rated.history(p).residual[targets]).all()
    assert not np.isnan(rated.history(p, with_test=True).residual).any()


def test_figures_are_those_of_the_chosen_ratings(source, data):
    given = pl.read_parquet(source / "ratings.parquet").sort("user_id", "timestamp")["fold"]
    assert data.fold.tolist() == given.to_list()
    draw, test = np.random.default_rng(0), data.fold == "test"
    names = (*BLENDS["blend"], *BLENDS)
    scores = [{name: draw.uniform(0.1, 0.9, len(test)) for name in names} for _ in range(2)]
    found = measure(data, scores, test)
    assert {"auc blend", "uauc blend - blend without llm", "auc llm_head - bayesian_fm"} <= {*found}
    expected = np.mean([roc_auc_score(data.liked[test], s["llm_head"][test]) for s in scores])
    assert found["auc llm_head"][0] == pytest.approx(expected)


def test_a_process_predicts_as_a_gaussian_process_does_and_from_earlier_ratings_alone():
    draw = np.random.default_rng(0)
    starts, n = np.array([0, 6]), 11
    start = np.repeat(starts, [6, 5])
    end = np.array([0, 1, 1, 3, 4, 5, 6, 6, 8, 8, 10])
    points = draw.normal(size=(n, 2))
    residual = draw.normal(size=n)
    residual[2] = np.nan  # was not expected
    none = np.zeros(n, np.int64)
    questions = Questions(none, start, end, none, np.zeros((n, 2)), none)
    cov = points @ points.T
    found = posterior_means(residual, questions, lambda rows: cov[rows, rows])
    for row in range(n):
        own = [i for i in range(start[row], end[row]) if i != 2]
        k = cov[np.ix_(own, own)] + NOISE * np.eye(len(own))
        expected = cov[row, own] @ np.linalg.solve(k, residual[own]) if own else 0
        assert found[row] == pytest.approx(expected, abs=1e-4)
    residual[4:6] = 100
    again = posterior_means(residual, questions, lambda rows: cov[rows, rows])
    assert np.array_equal(again[:5], found[:5])
    assert again[5] != found[5]
