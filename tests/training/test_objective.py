import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional as F

from tasks.nn.packing import ANSWER, RATING, TEXT
from tasks.readout.rating_trie import RatingTrie
from tasks.training import cross_entropy as sliced
from tasks.training.config import Objective
from tasks.training.cross_entropy import cross_entropy
from tasks.training.objective import TargetCounts, compute_loss
from tests.small_models import pack_batch

SCALE = (1.0, 2.0, 3.0, 4.0, 5.0)
TRIE = RatingTrie(SCALE, ((3,), (4,), (5,), (6,), (7,)))
ONLY_WORDS = Objective(vocab_ce=0, scale_ce=0, mse=0, answer_ce=1, text_ce=0)


def with_lora(model, targets):
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=targets, lora_dropout=0.0)
    adapted = get_peft_model(model, config)
    with torch.no_grad():  # B begins at zero, which would hide half of the gradient
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return adapted.eval()


def gradients(model):
    return {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(("name", "targets"), [("bloom", "query_key_value"), ("llama", "q_proj")])
def test_loss_and_lora_gradients_are_those_of_the_plain_path(request, examples, name, targets):
    fast = with_lora(request.getfixturevalue(name), [targets])
    plain = copy.deepcopy(fast)
    answer = examples[2]

    ids = torch.tensor([[*answer.prefix, *answer.branches[0]]], dtype=torch.long)
    labels = torch.full_like(ids, -100)
    start = len(answer.prefix)
    labels[:, start : start + 7] = ids[:, start : start + 7]
    stock = plain(input_ids=ids, labels=labels).loss
    stock.backward()

    batch = pack_batch([answer], kinds=(ANSWER,))
    ours = compute_loss(fast, batch, TRIE, ONLY_WORDS, TargetCounts(0, 7, 1, 7)).total
    ours.backward()

    assert ours.item() == pytest.approx(stock.item(), rel=1e-4)
    expected = gradients(plain)
    for parameter, gradient in gradients(fast).items():
        difference = (gradient - expected[parameter]).norm() / expected[parameter].norm()
        assert expected[parameter].norm() > 0
        assert difference < 1e-4, parameter


def test_all_targets_in_one_pass_have_the_gradients_of_single_prompts(bloom, examples):
    """Squared error of the expectation and cross-entropy, from stock logits of whole prompts."""
    fast = with_lora(bloom, ["query_key_value"])
    plain = copy.deepcopy(fast)
    many = examples[1]
    total = torch.zeros(())
    prompts = [
        (many.prefix[: many.spans.start[0]], 1.0),
        *(
            ([*many.prefix, *many.branches[s_branch][:s_start]], rating)
            for s_branch, s_start, rating in zip((0, 1, 2), (4, 2, 0), (3.0, 4.0, 2.0), strict=True)
        ),
    ]
    for tokens, rating in prompts:
        ids = torch.tensor([list(map(int, tokens))])
        log_p = plain(input_ids=ids).logits[0, -1, [3, 4, 5, 6, 7]].log_softmax(-1)
        expectation = log_p.exp() @ torch.tensor(SCALE)
        total = total - log_p[int(rating) - 1] / 4 + (expectation - rating) ** 2 / 4
    total.backward()

    objective = Objective(vocab_ce=0, scale_ce=1, mse=1, answer_ce=0)
    found = compute_loss(
        fast, pack_batch([many], kinds=()), TRIE, objective, TargetCounts(0, 0, 4, 0)
    )
    found.total.backward()
    assert found.total.item() == pytest.approx(total.item(), rel=1e-4)
    expected = gradients(plain)
    for parameter, gradient in gradients(fast).items():
        assert (gradient - expected[parameter]).norm() < 1e-4 * expected[parameter].norm()


def test_one_mean_over_all_tokens_is_the_loss_of_the_library(bloom, examples):
    answer = examples[2]
    ids = torch.tensor([[*answer.prefix, *answer.branches[0]]], dtype=torch.long)
    objective = Objective(vocab_ce=1, mse=0, answer_ce=1, text_ce=1, mean="tokens")
    batch = pack_batch([answer], kinds=(TEXT, ANSWER, RATING))
    found = compute_loss(
        bloom, batch, TRIE, objective, TargetCounts(13, 7, 1, ids.shape[1] - 1)
    ).total
    assert found.item() == pytest.approx(bloom(input_ids=ids, labels=ids).loss.item(), rel=1e-5)


def test_a_step_in_parts_is_the_step_in_one(bloom, examples):
    objective = Objective(vocab_ce=1, scale_ce=0.5, mse=2, answer_ce=1, text_ce=0.1)
    kinds = (TEXT, ANSWER, RATING)
    whole = pack_batch(examples, kinds=kinds)
    totals = TargetCounts(
        text=int((whole.label_kinds == TEXT).sum()),
        answer=int((whole.label_kinds == ANSWER).sum()),
        ratings=len(whole.ratings),
        tokens=len(whole.label_kinds),
    )
    at_once = compute_loss(bloom, whole, TRIE, objective, totals).total
    parts = [
        compute_loss(bloom, pack_batch([e], kinds=kinds), TRIE, objective, totals).total
        for e in examples
    ]
    assert sum(p.item() for p in parts) == pytest.approx(at_once.item(), rel=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_sliced_cross_entropy_has_the_value_and_gradients_of_the_whole(monkeypatch, bias):
    monkeypatch.setattr(sliced, "LOGITS", 3 * 11)  # three positions at a time
    head = torch.nn.Linear(5, 11, bias=bias)
    hidden = torch.randn(10, 5, requires_grad=True)
    tokens, weights = torch.randint(11, (10,)), torch.rand(10)
    results = []
    for path in ("whole", "sliced"):
        head.zero_grad()
        hidden.grad = None
        if path == "whole":
            value = (F.cross_entropy(head(hidden), tokens, reduction="none") * weights).sum()
        else:
            value = cross_entropy(hidden, head, tokens, weights)
        (value * 3).backward()
        grads = [hidden.grad.clone(), *(p.grad.clone() for p in head.parameters())]
        results.append((value.item(), grads))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(a, b, atol=1e-6)
