"""What differs, key by key."""

from __future__ import annotations

from admin_api.differences import diff, diff_values


def pointers(before: object, after: object) -> list[tuple[str, object, object]]:
    return [(change.pointer, change.before, change.after) for change in diff_values(before, after)]


def test_values_are_compared_where_they_stand() -> None:
    before = {"a": [{"w": 1}, {"w": 2}], "gone": 1, "same": {"x": 1}}
    after = {"a": [{"w": 1}, {"w": 3}], "same": {"x": 1}, "new": 2}
    assert pointers(before, after) == [("/a/1/w", 2, 3), ("/gone", 1, None), ("/new", None, 2)]


def test_lists_of_different_length_are_one_change() -> None:
    assert pointers({"a": [1]}, {"a": [1, 2]}) == [("/a", [1], [1, 2])]


def test_objects_are_added_changed_removed_or_left_out() -> None:
    before = {"routes/a": {"x": 1}, "routes/b": {"x": 1}, "routes/c": {"x": 1}}
    after = {"routes/a": {"x": 2}, "routes/b": {"x": 1}, "routes/d": {"x": 1}}
    assert [(change.object, change.action) for change in diff(before, after)] == [
        ("routes/a", "change"),
        ("routes/d", "add"),
        ("routes/c", "remove"),
    ]
