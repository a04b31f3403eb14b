"""What tests share. Assertions in here explain themselves as those in test files do."""

import pytest

pytest.register_assert_rewrite("tests.support.dry")
