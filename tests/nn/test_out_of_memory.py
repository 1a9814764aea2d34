import weakref

import pytest
import torch

from tasks.nn.out_of_memory import is_out_of_memory, run_with_oom_split


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
        (RuntimeError("shapes differ"), False),
        (OSError("not enough memory"), False),
    ],
)
def test_errors_of_every_device_are_told_from_others(error, expected):
    assert is_out_of_memory(error) is expected


def test_parts_that_fit_come_in_order_and_each_item_once():
    def run(items):
        if len(items) > 2:
            exhaust_memory()
        return list(items)

    assert list(run_with_oom_split(range(7), run)) == [[0], [1, 2], [3, 4], [5, 6]]


def test_a_single_item_that_does_not_fit_and_other_errors_are_raised():
    with pytest.raises(RuntimeError, match="allocate"):
        list(run_with_oom_split([1], lambda _: exhaust_memory()))

    def broken(_):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(run_with_oom_split([1, 2], broken))


def test_a_retry_starts_after_the_failed_run_is_freed():
    held = []

    def run(items):
        assert all(tensor() is None for tensor in held)
        activations = torch.zeros(8)
        held.append(weakref.ref(activations))
        if len(items) > 1:
            exhaust_memory()
        return items[0]

    assert list(run_with_oom_split([1, 2, 3, 4], run)) == [1, 2, 3, 4]
    assert len(held) == 7
