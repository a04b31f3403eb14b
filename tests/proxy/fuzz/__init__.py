"""Fuzzing of the embedded engine: ``make fuzz``. What it has found stands as rows in tests/proxy/embedded."""
