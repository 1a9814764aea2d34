"""DuckDB for Great Expectations."""

import duckdb_engine


class StayingDialect(duckdb_engine.Dialect):
    """DuckDB without transactions.

    duckdb-engine 0.17 ends one before Great Expectations has read its rows, which then are none.
    """

    supports_statement_cache = False

    def do_begin(self, connection: object) -> None:
        """Nothing."""

    def do_commit(self, connection: object) -> None:
        """Nothing."""

    def do_rollback(self, connection: object) -> None:
        """Nothing."""
