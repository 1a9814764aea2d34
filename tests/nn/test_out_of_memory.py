import weakref

import pytest
import torch

from tasks.nn.out_of_memory import MemoryLimit, is_out_of_memory


def exhaust_memory():
    """Ask torch for 1 PiB, more than a process can address."""
    torch.empty(1 << 50, dtype=torch.uint8)


def test_memory_that_truly_runs_out_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        exhaust_memory()
    assert not isinstance(caught.value, torch.OutOfMemoryError)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("shapes differ"), False),
        (OSError("not enough memory"), False),
    ],
)
def test_errors_of_every_device_are_told_from_others(error, expected):
    assert is_out_of_memory(error) is expected


def run_parts(items, run, limit=None, tokens=lambda _: 1, at_once=8, **budget):
    return list((limit or MemoryLimit()).run(items, run, tokens, at_once, **budget))


def test_parts_that_fit_come_in_order_and_each_item_once():
    def run(items):
        if len(items) > 2:
            exhaust_memory()
        return list(items)

    assert run_parts(range(7), run) == [[0, 1], [2, 3], [4, 5], [6]]


def test_what_fitted_is_remembered_in_tokens():
    limit, tried = MemoryLimit(), []

    def run(items):
        tried.append(list(items))
        if sum(items) > 10:
            exhaust_memory()
        return sum(items)

    assert run_parts([4, 4, 4, 4], run, limit, int) == [8, 8]
    assert limit.tokens == 8
    tried.clear()
    assert run_parts([2, 2, 2, 2, 9, 1], run, limit, int) == [8, 9, 1]
    assert tried == [[2, 2, 2, 2], [9], [1]]  # nothing fails again, and one item is always run


def test_a_budget_of_tokens_comes_before_the_number_of_items():
    assert run_parts(range(1, 6), list, tokens=int, budget=6.5) == [[1, 2, 3], [4], [5]]
    assert run_parts(range(1, 6), list, tokens=int, at_once=2) == [[1, 2], [3, 4], [5]]
    assert run_parts([3, 1], list, tokens=int, budget=-1.0) == [[3], [1]]


def test_a_single_item_that_does_not_fit_and_other_errors_are_raised():
    with pytest.raises(RuntimeError, match="allocate"):
        run_parts([1], lambda _: exhaust_memory())

    def broken(_):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        run_parts([1, 2], broken)


def test_a_retry_starts_after_the_failed_run_is_freed():
    held = []

    def run(items):
        assert all(tensor() is None for tensor in held)
        activations = torch.zeros(8)
        held.append(weakref.ref(activations))
        if len(items) > 1:
            exhaust_memory()
        return items[0]

    assert run_parts([1, 2, 3, 4], run) == [1, 2, 3, 4]
    assert len(held) == 6
