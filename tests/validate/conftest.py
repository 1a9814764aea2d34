"""Great Expectations takes seconds to load: these tests load it once, not in a process each."""

import pytest

from tasks.validate import expectations, validate_tables


@pytest.fixture(autouse=True)
def _suite_in_this_process(monkeypatch):
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")

    def evaluate(relations, docs):
        violations = expectations.run_suite(relations, docs)
        return [expectations.Outcome(rule, violations[rule.name]) for rule in expectations.RULES]

    monkeypatch.setattr(validate_tables, "evaluate", evaluate)
