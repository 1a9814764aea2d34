"""BLOOM's attention over packed batches by FlexAttention: neither mask nor bias is stored.

FlexAttention (Dong et al., arXiv 2412.05496) computes only blocks of queries and columns in which
something is visible; masks and ALiBi are computed inside of its kernel, in fp32. Of the pairs of a
user's 100 candidates 17 % are visible, and a mask of all of them would take tens of gigabytes.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import cast

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from transformers.models.bloom.modeling_bloom import BloomAttention, _get_alibi_slopes

from tasks.nn.out_of_memory import is_out_of_memory

log = logging.getLogger(__name__)
BLOCK = 128  # queries or columns; widths are multiples of it, so that few shapes are compiled
ROWS, WIDTH = (
    64,
    4096,
)  # of the tables that mask and score look things up in, and more by powers of 2
LEAST_CAPABILITY = (8, 0)  # a T4's shared memory is too small for heads of 128
COMPILED_SHAPES = 64  # of one process, above which torch gives up: by default 8


def flex(positions: Tensor, visible_ranges: Tensor, heads: int) -> Callable[..., Tensor]:
    """Attention of query, key, value [rows, heads, width, head size] and the layer they belong to.

    `positions` [rows, width] and `visible_ranges` [rows, width, 3, 2] are a PackedBatch's, whose
    width is a multiple of BLOCK. Padding becomes 0. Compiled on a GPU; eager, slow and without
    gradients on a CPU. Raises ValueError where the model trains with dropout within attention,
    which FlexAttention does not have.
    """
    starts, ends = visible_ranges.int().unbind(-1)
    places, first, last = map(_in_steady_shape, (positions.int(), starts, ends))
    slopes = _in_steady_shape(_get_alibi_slopes(heads, positions.device))

    def visible(row: Tensor, head: Tensor, token: Tensor, column: Tensor) -> Tensor:
        prefix, branch, suffix = (
            (column >= first[row, token, kind]) & (column < last[row, token, kind])
            for kind in range(3)
        )
        return prefix | branch | suffix

    def add_alibi(score: Tensor, row: Tensor, head: Tensor, token: Tensor, col: Tensor) -> Tensor:
        return score + slopes[head] * (places[row, col] - places[row, token])

    mask = block_mask(starts, ends, visible)

    def attend(query: Tensor, key: Tensor, value: Tensor, layer: BloomAttention) -> Tensor:
        if layer.training and layer.attention_dropout.p:
            raise ValueError('FlexAttention has no dropout: set train.fit.attention to "fused"')
        return _run(query, key, value, add_alibi, mask)

    return attend


def _in_steady_shape(table: Tensor) -> Tensor:
    """The table in the corner of one of few shapes, each of which is compiled once.

    Sizes of what mask and score look up cannot be dynamic.
    """
    sizes = [1 << (size - 1).bit_length() for size in table.shape]
    least = (ROWS, WIDTH, 1)[: table.dim()] if table.dim() > 1 else sizes
    steady = table.new_zeros([max(pair) for pair in zip(sizes, least, strict=True)])
    steady[tuple(map(slice, table.shape))] = table
    for dimension in range(table.dim()):
        torch._dynamo.mark_static(steady, dimension)
    return steady


def block_mask(starts: Tensor, ends: Tensor, visible: Callable[..., Tensor]) -> BlockMask:
    """Which blocks hold what is visible, from the ranges [rows, width, 3] alone.

    A block is full where each of its queries attends to all of its columns by one of its ranges:
    there the kernel does not ask `visible`.
    """
    blocks = starts.shape[1] // BLOCK
    last = torch.where(ends > starts, (ends + BLOCK - 1) // BLOCK, starts // BLOCK)
    touched = _count_queries(starts // BLOCK, last, blocks) > 0
    first = (starts + BLOCK - 1) // BLOCK
    full = _count_queries(first, (ends // BLOCK).maximum(first), blocks) == BLOCK
    count, order = _in_order(touched & ~full)
    full_count, full_order = _in_order(full)
    return BlockMask.from_kv_blocks(
        count, order, full_count, full_order, BLOCK_SIZE=BLOCK, mask_mod=visible
    )


def _count_queries(first: Tensor, last: Tensor, blocks: int) -> Tensor:
    """How many ranges of a block of queries hold a block of columns: [rows, blocks, blocks].

    Ranges are [first, last) in blocks: [rows, width, 3].
    """
    rows, one = len(first), first.new_ones(()).expand(len(first), blocks, 3 * BLOCK)
    steps = first.new_zeros(rows, blocks, blocks + 1)
    steps.scatter_add_(2, first.reshape(rows, blocks, -1).long(), one)
    steps.scatter_add_(2, last.reshape(rows, blocks, -1).long(), -one)
    return steps.cumsum(2)[..., :-1]


def _in_order(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The number of chosen blocks, and their indices before those of the others."""
    order = chosen.int().argsort(dim=-1, descending=True, stable=True)
    return chosen.sum(-1, dtype=torch.int32)[:, None], order.int()[:, None]


def _run(
    query: Tensor, key: Tensor, value: Tensor, score_mod: Callable[..., Tensor], mask: BlockMask
) -> Tensor:
    """Scores are scaled by the root of the head size, as BLOOM's are."""
    if not query.is_cuda:
        return flex_attention(query, key, value, score_mod, mask)
    for tensor in (query, key, value):
        torch._dynamo.mark_static(tensor, 1)
        torch._dynamo.mark_static(tensor, 3)
    return _compiled()(query, key, value, score_mod, mask)


@cache
def _compiled() -> Callable[..., Tensor]:
    """Compiled for any number of rows and any width; without a graph it fails, and is not slow."""
    torch._dynamo.config.recompile_limit = COMPILED_SHAPES
    return cast(Callable[..., Tensor], torch.compile(flex_attention, dynamic=True, fullgraph=True))


def runs_here(heads: int, head_size: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether FlexAttention can be compiled for this GPU; where not, the log says why, once."""
    return device.type == "cuda" and _compiles(
        heads, head_size, dtype, device, torch.is_grad_enabled()
    )


@cache
def _compiles(
    heads: int, head_size: int, dtype: torch.dtype, device: torch.device, gradients: bool
) -> bool:
    capability = torch.cuda.get_device_capability(device)
    cause = f"its compute capability {capability[0]}.{capability[1]} is below 8.0"
    if capability >= LEAST_CAPABILITY:
        try:
            with torch.inference_mode(False), torch.set_grad_enabled(gradients):
                _try(heads, head_size, dtype, device)
            return True
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            cause = (str(error).splitlines() or [type(error).__name__])[0]
    log.warning(
        "FlexAttention does not run on this GPU (%s): attention is dense, slower, and takes memory "
        "by the square of a row", cause
    )  # fmt: skip
    return False


def _try(heads: int, head_size: int, dtype: torch.dtype, device: torch.device) -> None:
    """Two rows of two blocks, so that what is compiled serves all sizes but 1."""
    width = 2 * BLOCK
    place = torch.arange(width, device=device).expand(2, -1)
    ranges = torch.zeros(2, width, 3, 2, dtype=torch.long, device=device)
    ranges[:, :, 1, 1] = place + 1
    parts = torch.zeros(2, width, heads, 3, head_size, dtype=dtype, device=device)
    parts.requires_grad_(torch.is_grad_enabled())
    layer = cast(BloomAttention, torch.nn.Identity().eval())
    mixed = flex(place, ranges, heads)(*parts.permute(3, 0, 2, 1, 4), layer)
    if parts.requires_grad:
        mixed.sum().backward()
    torch.cuda.synchronize(device)
