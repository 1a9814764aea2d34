"""DuckDB for Great Expectations, without transactions."""

import duckdb_engine


class AutocommitDialect(duckdb_engine.Dialect):
    """DuckDB without transactions.

    duckdb-engine 0.17 commits before Great Expectations has fetched its rows, which loses them.
    """

    supports_statement_cache = False

    def do_begin(self, connection: object) -> None:
        """Nothing."""

    def do_commit(self, connection: object) -> None:
        """Nothing."""

    def do_rollback(self, connection: object) -> None:
        """Nothing."""
