import numpy as np
import pytest
import torch

from tasks.nn import bloom as bloom_path
from tasks.nn import sparse_attention
from tasks.nn.collate import collate
from tasks.nn.examples import Example
from tasks.nn.forward import hidden_states, output_layer, plain_hidden_states
from tasks.nn.packing import pack_example
from tests.small_models import pack_batch, stock_hidden_states

SUFFIXES = ((), (7,), (8, 9))


def plain_texts(example):
    """The texts for a library without branches: the prefix with each branch."""
    if not example.branches:
        return [(-1, example.prefix)]
    whole = [np.concatenate([example.prefix, branch]) for branch in example.branches]
    return list(enumerate(whole))


@pytest.fixture(params=["bloom", "llama"])
def model(request):
    return request.getfixturevalue(request.param)


def test_a_rating_is_read_at_the_hidden_state_of_the_plain_path(model, examples):
    batch = pack_batch(examples, SUFFIXES)
    with torch.no_grad():
        found = hidden_states(model, batch)[batch.readout_positions]
    expected = []
    for example in examples:
        s = example.spans
        for branch, start, rating in zip(s.branch, s.start, s.rating, strict=True):
            if np.isnan(rating):
                continue
            before = example.prefix[:start]
            if branch >= 0:
                before = np.concatenate([example.prefix, example.branches[branch][:start]])
            expected += [stock_hidden_states(model, [*before, *suffix])[-1] for suffix in SUFFIXES]
    assert torch.allclose(found.flatten(0, 1), torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_the_plain_path_agrees_and_refuses_what_it_cannot_do(bloom, examples):
    texts = [examples[0], examples[2]]
    alone = pack_batch(texts, width=1)
    with torch.no_grad():
        fused, plain = hidden_states(bloom, alone), plain_hidden_states(bloom, alone)
    assert torch.allclose(
        fused[alone.label_positions], plain[alone.label_positions], rtol=1e-4, atol=1e-5
    )
    for refused in (
        pack_batch(texts, width=90),
        pack_batch([examples[1]]),
        pack_batch(texts[:1], SUFFIXES),
    ):
        with pytest.raises(ValueError, match="one text per row"):
            plain_hidden_states(bloom, refused)


@pytest.mark.parametrize("queries", [7, 192])
def test_inference_skips_columns_that_no_token_attends_to(bloom, examples, monkeypatch, queries):
    monkeypatch.setattr(sparse_attention, "BLOCK", queries)
    batch = pack_batch(examples, SUFFIXES)
    with torch.no_grad():
        whole = hidden_states(bloom, batch)
    with torch.inference_mode():
        gathered = hidden_states(bloom, batch)
    real = batch.attention_mask().any(-1).flatten()
    assert torch.allclose(whole[real], gathered[real], rtol=1e-4, atol=1e-5)
    multiplied = sum(block.mask.numel() for block in sparse_attention.query_blocks(batch))
    assert batch.attention_mask().sum() <= multiplied < batch.attention_mask().numel()


def test_every_label_has_the_hidden_state_of_the_plain_path(model, examples):
    batch = pack_batch(examples)
    with torch.no_grad():
        found = hidden_states(model, batch)[batch.label_positions]
    row = 0
    for example in examples:
        for number, (_branch, text) in enumerate(plain_texts(example)):
            hidden = stock_hidden_states(model, text)
            # The prefix is learned once, with the first of the texts that share it.
            begin = 1 if number == 0 else len(example.prefix)
            n = len(text) - begin
            assert batch.labels[row : row + n].tolist() == text[begin:].tolist()
            assert torch.allclose(
                found[row : row + n], hidden[begin - 1 : -1], rtol=1e-4, atol=1e-5
            )
            row += n
    assert row == len(found)


def test_the_other_examples_of_a_row_change_nothing(model, examples):
    together, alone = pack_batch(examples, width=200), pack_batch(examples, width=1)
    assert len(together.tokens) == 1
    assert len(alone.tokens) == len(examples)
    with torch.no_grad():
        a = hidden_states(model, together)[together.readout_positions]
        b = hidden_states(model, alone)[alone.readout_positions]
    assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)
    assert together.ratings.tolist() == alone.ratings.tolist()


def test_a_line_that_ends_before_its_rating_is_read_at_its_end(bloom, examples, spans):
    """As for candidates, whose rating is unknown, so that no token spells it."""
    whole = examples[1]
    open_branches = [
        branch[:start] for branch, start in zip(whole.branches, (4, 2, 0), strict=True)
    ]
    ends = spans((0, 4, 4, None), (1, 2, 2, None), (2, 0, 0, None))
    open_ends = Example(whole.prefix, open_branches, ends)
    example = pack_example(open_ends, SUFFIXES, (), read_unrated=True)
    known = pack_batch([whole], SUFFIXES)
    with torch.no_grad():
        found = hidden_states(bloom, collate([example], [[0]]))[
            torch.from_numpy(example.readout_positions)
        ]
        expected = hidden_states(bloom, known)[known.readout_positions][1:]
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.isnan(example.ratings).all()


def test_gradient_checkpointing_changes_no_gradient(bloom, examples, monkeypatch):
    batch = pack_batch(examples)
    gradients, calls = [], []
    plain_block = bloom_path._run_block
    monkeypatch.setattr(bloom_path, "_run_block", lambda *a: (calls.append(1), plain_block(*a))[1])
    for checkpointed in (False, True):
        bloom.train()
        bloom.zero_grad()
        if checkpointed:
            bloom.activation_checkpointing_enable()
        logits = output_layer(bloom)(hidden_states(bloom, batch)[batch.label_positions])
        torch.nn.functional.cross_entropy(logits, batch.labels).backward()
        gradients.append([p.grad.clone() for p in bloom.parameters()])
    assert len(calls) == 3 + 2 * 3  # each of three layers once, then once more backwards
    for plain, other in zip(*gradients, strict=True):
        assert torch.allclose(plain, other, rtol=1e-5, atol=1e-7)
