"""The rows of the case table, by group; ``tests.support.cases`` is the table."""
