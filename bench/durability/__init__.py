"""The catalog's promises, tried on real processes and real SQLite files: kill -9, full disks, damage, many at once.

    python -m bench.durability [SECTION ...] [--rounds N] [--seconds N] [--check]

Each section is a module here with one generator of rows: the promise, what was done, what came of it.
"""
