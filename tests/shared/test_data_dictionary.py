"""The data dictionary says what the code says."""

import pytest

from tasks.data_dictionary import HEADS, ROOT, dictionary


@pytest.mark.parametrize("home", HEADS)
def test_the_data_dictionary_is_up_to_date(home):
    written = (ROOT / home / "README.md").read_text()
    assert written == dictionary(home), "run `make dictionary`"


def test_every_column_has_a_meaning():
    for home in HEADS:
        rows = [line for line in dictionary(home).splitlines() if line.startswith("| ")]
        assert len(rows) > 20
        assert not [row for row in rows if row.endswith("|  |")]
