"""A context is run once for all questions behind it; each answer is that of a text alone."""

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoTokenizer

from tasks.audit.config import Ablation
from tasks.audit.task import perturb_prompts
from tasks.hub import load_adapted
from tasks.nn.examples import Examples
from tasks.nn.packing import pack_example
from tasks.nn.shared_prefix import count_equal
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts, write_prompts
from tasks.read.questions import ListQuestion
from tasks.read.task import read_prompts
from tasks.readout.batches import RATE, iter_batches
from tasks.readout.config import Inference
from tasks.readout.inference import Questions, Reader
from tasks.readout.rating_trie import RatingTrie
from tasks.templates import Compact, Original
from tests.pipeline_world import SCALE

KEY = ["role", "fold", "user_id", "film_id"]
NATS = 1e-4


@pytest.fixture(scope="module")
def readings(store, adapter, base, prompts, candidate_prompts):
    given = (adapter, base, prompts, candidate_prompts)
    return read_prompts.fn(*given, inference=Inference(users_per_batch=7), store=store)


@pytest.fixture(scope="module")
def alone(adapter, base):
    """`alone(tokens)`: log-probabilities of what follows each token, by the stock library."""
    model = load_adapted(base, adapter)

    @torch.no_grad()
    def run(tokens):
        return torch.log_softmax(model(input_ids=torch.tensor([tokens])).logits[0].double(), -1)

    return run


def rate_alone(alone, prompts, role, words):
    """Expected stars by KEY: each film of each prompt as a text of its own."""
    spelt = [words(f"{value:.1f}")["input_ids"][0] for value in SCALE]
    rows = prompts.scan("examples").filter(pl.col("fold") == "test", kind="rate").collect()
    stars = {}
    for row, example in zip(
        rows.iter_rows(named=True), Examples.from_table(rows.to_arrow()), strict=True
    ):
        for film, branch, end in zip(
            row["film_ids"], example.branches, example.spans.start, strict=True
        ):
            p = alone([*example.prefix, *branch[:end]])[-1, spelt].softmax(0).numpy()
            stars[role, "test", row["user_id"], film] = p @ SCALE
    return stars


def test_ratings_are_those_of_each_example_by_itself(
    readings, alone, prompts, candidate_prompts, tokenizer
):
    words = AutoTokenizer.from_pretrained(tokenizer.path)
    expected = rate_alone(alone, prompts, "target", words)
    expected |= rate_alone(alone, candidate_prompts, "candidate", words)
    read = readings.scan("readings").filter(fold="test").collect()
    stars = np.exp(np.array(read["log_p"].to_list())) @ SCALE
    assert read.select(KEY).rows() == sorted(expected)
    assert len(expected) == 24 * (4 + 8)
    assert np.abs(stars - [expected[key] for key in read.select(KEY).rows()]).max() < 1e-5


def likelihoods_alone(alone, prompts, template, words):
    films = prompts.scan("films").select("film_id", "line")
    lines = {film: words(line)["input_ids"] for film, line in films.collect().iter_rows()}
    rows = prompts.scan("examples").filter(pl.col("fold") == "test").collect()
    nats = {}
    for row in rows.iter_rows(named=True):
        prefix = words(row["context"] + template.recommend)["input_ids"]
        for film in row["film_ids"]:
            log_p = alone([*prefix, *lines[film]])[len(prefix) - 1 : -1]
            nats[row["user_id"], film] = log_p[range(len(lines[film])), lines[film]].sum().item()
    return nats


def test_likelihoods_are_those_of_each_line_by_itself(
    readings, alone, candidate_prompts, tokenizer
):
    words = AutoTokenizer.from_pretrained(tokenizer.path)
    expected = likelihoods_alone(alone, candidate_prompts, Compact(), words)
    read = readings.scan("readings").filter(fold="test", role="candidate").collect()
    nats = [expected[key] for key in read.select("user_id", "film_id").iter_rows()]
    assert len(expected) == len(read) == 24 * 8
    assert np.abs(read["log_likelihood"].to_numpy() - nats).max() < NATS
    targets = readings.scan("readings").filter(role="target").collect()
    assert targets["log_likelihood"].null_count() == len(targets)


@pytest.fixture(scope="module")
def reader(adapter, base, prompts):
    """Half stars in two tokens, so that a rating has probe suffixes."""
    halves = tuple(n / 2 for n in range(1, 11))
    spelt = tuple((10 + n // 2, 30 + n % 2) for n in range(1, 11))
    return Reader(load_adapted(base, adapter), RatingTrie(halves, spelt), Inference())


def users_of(prompts, candidate_prompts, words):
    """The questions of the test users, as a batch asks them."""
    given = {"target": prompts, "candidate": candidate_prompts}
    question = ListQuestion.of(candidate_prompts, words)
    template = question.template.tokenize_per_line
    columns = () if template else ("context",)
    (batch,) = iter_batches(given, 100, RATE[1:], columns)
    examples = Examples.from_table(batch.examples).take(range(len(batch.examples)))
    rows = batch.examples.to_pylist()
    return [
        Questions([target, candidates], [question.ask(candidates, row)])
        for target, candidates, row in zip(examples[::2], examples[1::2], rows[1::2], strict=True)
    ]


@pytest.fixture(params=[Compact(), Original()], ids=["by line", "whole"])
def worded(request, store, split, ratings, tokenizer, candidates):
    """Prompts and candidates' prompts in a wording."""
    config = Prompt(context_films=8, list_length=3, prior="bias", template=request.param)
    given = (split, ratings, tokenizer)
    return (
        write_prompts.fn(*given, config=config, store=store),
        write_candidate_prompts.fn(*given, candidates, config=config, store=store),
    )


def test_questions_read_together_are_answered_as_apart(worded, reader, tokenizer):
    """With half stars, and where the question lies between the context and the films."""
    users = users_of(*worded, AutoTokenizer.from_pretrained(tokenizer.path))
    together = reader.read_users(users)
    apart = [reader.read_users([Questions([e]) for e in user.rated]).log_p for user in users]
    texts = [reader.read_users([Questions([], user.texts)]).log_likelihood for user in users]
    assert np.abs(together.log_p - np.concatenate(apart)).max() < NATS
    assert np.abs(together.log_likelihood - np.concatenate(texts)).max() < NATS


def test_a_context_takes_its_tokens_once(worded, reader, tokenizer):
    for user in users_of(*worded, AutoTokenizer.from_pretrained(tokenizer.path)):
        parts = [reader.pack(Questions([e])) for e in user.rated]
        parts += [reader.pack(Questions([], [e])) for e in user.texts]
        first, *others = [*user.rated, *user.texts]
        shared = sum(count_equal(first.prefix, other.prefix) for other in others)
        assert shared > 1.5 * len(first.prefix) - 40
        assert len(reader.pack(user)) == sum(map(len, parts)) - shared


def test_other_contexts_are_not_shared(worded, reader, tokenizer):
    """As where each target has a context of its own: only equal beginnings are run once."""
    users = users_of(*worded, AutoTokenizer.from_pretrained(tokenizer.path))
    (target, _), _ = users[0].rated, users[1]
    mixed = Questions([target, users[1].rated[1]], users[2].texts)
    together = reader.read_users([mixed])
    apart = reader.read_users([Questions([example]) for example in mixed.rated])
    texts = reader.read_users([Questions([], mixed.texts)])
    assert np.abs(together.log_p - apart.log_p).max() < NATS
    assert np.abs(together.log_likelihood - texts.log_likelihood).max() < NATS
    alone = [pack_example(e, reader.trie.probe_suffixes, ()) for e in mixed.rated]
    assert len(reader.pack(mixed)) > sum(map(len, alone))


def test_candidates_alone_are_read_as_beside_targets(
    store, readings, adapter, base, candidate_prompts
):
    """As for requests, which have no targets; likelihoods only where they are wanted."""
    given = (adapter, base, None, candidate_prompts)
    made = read_prompts.fn(*given, inference=Inference(), store=store, likelihoods=False)
    table = made.scan("readings").collect()
    both = readings.scan("readings").filter(role="candidate").collect()
    assert table.select(KEY).equals(both.select(KEY))
    log_p = [np.array(one["log_p"].to_list()) for one in (table, both)]
    assert np.abs(log_p[0] - log_p[1]).max() < NATS
    assert table["log_likelihood"].null_count() == len(table)
    assert not made.has_likelihoods


@pytest.mark.parametrize("pack_length", [1, 512])
def test_perturbed_prompts_are_read(store, adapter, base, prompts, tokenizer, pack_length):
    """They have no template of their own."""
    config = Ablation(users=3)
    given = perturb_prompts.fn(prompts, tokenizer, "shuffled", config=config, store=store)
    inference = Inference(pack_length=pack_length)
    made = read_prompts.fn(adapter, base, given, inference=inference, store=store)
    assert made.scan("readings").collect()["user_id"].n_unique() == 3
