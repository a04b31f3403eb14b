"""What differs, key by key."""

from __future__ import annotations

from admin_api.differences import diff_values, tell, tell_whole
from coalmine.model.revision import ObjectChange, Ownership


def pointers(before: object, after: object) -> list[tuple[str, object, object]]:
    return [(change.pointer, change.before, change.after) for change in diff_values(before, after)]


def test_values_are_compared_where_they_stand() -> None:
    before = {"a": [{"w": 1}, {"w": 2}], "gone": 1, "same": {"x": 1}}
    after = {"a": [{"w": 1}, {"w": 3}], "same": {"x": 1}, "new": 2}
    assert pointers(before, after) == [("/a/1/w", 2, 3), ("/gone", 1, None), ("/new", None, 2)]


def test_lists_of_different_length_are_one_change() -> None:
    assert pointers({"a": [1]}, {"a": [1, 2]}) == [("/a", [1], [1, 2])]


def test_an_owner_that_changed_is_a_key_of_its_own() -> None:
    change = ObjectChange(
        object="routes/a", before={"x": 1}, after={"x": 2}, ownership_after=Ownership(owner="shop", seal="0")
    )
    (told,) = tell([change])
    assert (told.action, told.owner) == ("change", "shop")
    assert [(key.pointer, key.before, key.after) for key in told.keys] == [
        ("/x", 1, 2),
        ("/status/owner", "api", "shop"),
    ]


def test_what_was_added_or_removed_is_told_whole() -> None:
    owned = Ownership(owner="shop", seal="0")
    added, removed, changed = tell_whole(
        [
            ObjectChange(object="routes/a", after={"x": 1}),
            ObjectChange(object="routes/b", before={"x": 2}, ownership_before=owned),
            ObjectChange(object="routes/c", before={"x": 2}, after={"x": 3}),
        ]
    )
    assert (added.action, added.before, added.after, added.owner) == ("add", None, {"x": 1}, "api")
    assert (removed.action, removed.before, removed.after, removed.owner) == ("remove", {"x": 2}, None, "shop")
    assert (changed.before, changed.after, len(changed.keys)) == (None, None, 1)
