"""Ratings and texts of a user share a row, unless a row costs the square of its tokens."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.nn.examples import Example
from tasks.nn.forward import dense_hidden_states, flex_hidden_states
from tasks.readout import inference
from tasks.readout.config import Inference
from tasks.readout.inference import Questions, Reader
from tasks.readout.rating_trie import RatingTrie
from tests.small_models import bloom, llama, make_spans, seeded  # noqa: F401

HALVES = RatingTrie(
    tuple(n / 2 for n in range(1, 11)), tuple((10 + n // 2, 20, 21 + n % 2) for n in range(1, 11))
)


@pytest.fixture
def user():
    """Two contexts that end differently, films to rate behind both, and texts behind another."""
    draw = np.random.default_rng(0)
    context = draw.integers(10, 64, 40)
    spans = make_spans((0, 4, 5, None), (1, 6, 7, 3.0), (2, 5, 6, 2.0))

    def example(*last):
        branches = [draw.integers(10, 64, length) for length in (5, 7, 6)]
        return Example(np.r_[context, last].astype(int), branches, spans)

    return Questions([example(11), example(11), example(12, 13)], [example(), example(14, 15)])


@pytest.mark.parametrize(("name", "rows"), [("bloom", 1), ("llama", 2)])
def test_what_shares_a_row_is_read_as_apart(name, rows, user, request):
    reader = Reader(request.getfixturevalue(name), HALVES, Inference())
    assert len(reader.split(user)) == rows
    read = reader.read_users([user, user])
    apart = [reader.read([example]) for example in user.rated] * 2
    texts = [reader.read_users([Questions([], [e])]).log_likelihood for e in user.texts] * 2
    assert read.log_p.shape == (18, 10)
    assert np.abs(read.log_p - np.concatenate(apart)).max() < 1e-4
    assert np.abs(read.log_likelihood - np.concatenate(texts)).max() < 1e-4


def test_a_part_with_suffixes_shares_its_whole_prefix_or_nothing(bloom, user):  # noqa: F811
    reader = Reader(bloom, HALVES, Inference())
    sizes = [len(reader.pack(Questions([example]))) for example in user.rated]
    sizes += [len(reader.pack(Questions([], [example]))) for example in user.texts]
    assert len(reader.pack(user)) == sum(sizes) - 41 - 40 - 40


@pytest.mark.parametrize("forward", [flex_hidden_states, dense_hidden_states])
def test_every_way_of_attention_reads_a_shared_row_alike(bloom, user, forward, monkeypatch):  # noqa: F811
    """FlexAttention is eager on a CPU; its blocks and masks are those of a GPU."""
    reader = Reader(bloom, HALVES, Inference())
    sparse = reader.read_users([user])
    monkeypatch.setattr(inference, "hidden_states", forward)
    other = reader.read_users([user])
    assert np.abs(sparse.log_p - other.log_p).max() < 1e-4
    assert np.abs(sparse.log_likelihood - other.log_likelihood).max() < 1e-4


@pytest.fixture
def candidates(user):
    """The same, of films without a rating."""

    def unrated(example):
        spans = replace(example.spans, rating=np.full(3, np.nan, np.float32))
        return replace(example, spans=spans)

    return Questions([unrated(example) for example in user.rated], user.texts)


def test_half_stars_of_candidates_are_the_mean_of_some(bloom, candidates):  # noqa: F811
    """Whole stars stay what they were; nothing else of the user, or of others, plays a part."""

    def read(whole):
        reader = Reader(bloom, HALVES, Inference(whole_ratings=whole))
        return np.exp(reader.read_users([candidates]).log_p)

    exact, some = read(None), read(2)
    assert some.sum(1) == pytest.approx(np.ones(9), abs=1e-6)
    # Half a star, one to four with their halves, and five, in the order of the scale.
    star = np.array([0, *np.repeat([1, 2, 3, 4], 2), 5])
    stars = (star[:, None] == np.arange(6)).astype(float)
    assert np.abs(some @ stars - exact @ stars).max() < 1e-6
    share = exact / (exact @ stars)[:, star]
    for first in (0, 3, 6):
        own = slice(first, first + 3)
        expected = (exact[own] @ stars)[:, star] * share[[first, first + 2]].mean(0)
        assert np.abs(some[own] - expected).max() < 1e-6
        assert np.abs(some[own] - exact[own]).max() > 1e-4
    assert np.array_equal(read(3), exact)


def test_known_ratings_are_read_whole_however_many(bloom, user):  # noqa: F811
    read = [
        Reader(bloom, HALVES, Inference(whole_ratings=whole)).read_users([user]).log_p
        for whole in (None, 1)
    ]
    assert np.array_equal(*read)


def test_ratings_that_are_not_read_whole_cost_their_first_token(bloom, candidates):  # noqa: F811
    sizes = {
        whole: len(Reader(bloom, HALVES, Inference(whole_ratings=whole)).pack(candidates))
        for whole in (None, 3, 2, 1)
    }
    further = sum(map(len, HALVES.probe_suffixes))
    assert further == 8
    assert sizes[None] == sizes[3] == sizes[2] + 3 * further == sizes[1] + 6 * further
