import numpy as np
import pytest

from tasks.nn.collate import first_fit_decreasing
from tasks.nn.packing import ANSWER, RATING, pack_example
from tests.small_models import pack_batch


def test_only_supervised_tokens_are_labels_by_default(examples):
    batch = pack_batch(examples, kinds=(ANSWER, RATING))
    expected = sum(int((e.spans.end - e.spans.start).sum()) for e in examples)
    assert len(batch.label_positions) == expected
    assert (batch.label_kinds == ANSWER).sum() == 7


def test_a_rating_as_the_first_token_is_refused(examples):
    example = examples[0]
    example.spans.start[0] = 0
    with pytest.raises(ValueError, match="first token of an example"):
        pack_example(example, ((),))


def test_rows_hold_everything_once_and_no_more_than_fits():
    lengths = np.random.default_rng(1).integers(1, 60, 200).tolist()
    rows = first_fit_decreasing(lengths, 50)
    assert sorted(i for row in rows for i in row) == list(range(200))
    assert all(len(row) == 1 or sum(lengths[i] for i in row) <= 50 for row in rows)
