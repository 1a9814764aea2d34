import numpy as np
import pytest

from tasks.training.batches import plan_steps
from tasks.training.config import TrainingConfig


def test_each_epoch_takes_every_example_once_and_half_an_epoch_half_of_the_tokens():
    lengths = np.random.default_rng(0).integers(5, 30, 200)
    steps = plan_steps(lengths, TrainingConfig(epochs=2, tokens_per_step=100))
    taken = np.concatenate(steps)
    assert sorted(taken[:200]) == sorted(taken[200:]) == list(range(200))
    assert taken[:200].tolist() != taken[200:].tolist()
    half = np.concatenate(plan_steps(lengths, TrainingConfig(epochs=0.5, tokens_per_step=100)))
    assert lengths[half].sum() == pytest.approx(lengths.sum() / 2, abs=30)
    assert all(lengths[step].sum() < 100 + 2 * 30 for step in steps)


def test_steps_may_be_counted_in_examples():
    lengths = np.full(10, 7)
    steps = plan_steps(lengths, TrainingConfig(examples_per_step=4))
    assert [len(step) for step in steps] == [4, 4, 2]
