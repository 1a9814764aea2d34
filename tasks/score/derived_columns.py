"""Adds to predicted ratings what several metrics need and SQL computes slowly."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.seeded_hash import uniform


def add_derived_columns(predicted: pa.Table) -> pa.Table:
    """`cumulative`: probability of a rating up to each value; null where there is no distribution.

    `uniform`: a number in [0, 1) that is fixed for each user and film.
    """
    draws = uniform(0, "rating", predicted["user_id"].to_numpy(), predicted["film_id"].to_numpy())
    cumulative = pa.chunked_array(
        [_cumulate(chunk) for chunk in predicted["probabilities"].chunks],
        pa.list_(pa.float64()),
    )
    return predicted.append_column("cumulative", cumulative).append_column("uniform", [draws])


def _cumulate(lists: pa.ListArray) -> pa.ListArray:
    """The running sums of each list."""
    values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    first = np.concatenate([[0], np.cumsum(lengths)])
    widths = np.unique(lengths[lengths > 0])
    if len(widths) > 1:
        raise ValueError(
            f"distributions have {widths.tolist()} values: give each as many as the scale has"
        )
    running = values.reshape(-1, widths[0]).cumsum(axis=1).reshape(-1) if len(widths) else values
    offsets = pa.array(
        first, pa.int32(), mask=np.append(lists.is_null().to_numpy(zero_copy_only=False), False)
    )
    return pa.ListArray.from_arrays(offsets, running)
