"""The catalog: what people and discovery wrote, in SQLite. Knows no matching; rows never leave this package."""

from coalmine.catalog.journal import State, split_object
from coalmine.catalog.owners import Owned
from coalmine.catalog.paging import Page
from coalmine.catalog.reader import Reader
from coalmine.catalog.restoring import restore
from coalmine.catalog.store import Catalog
from coalmine.catalog.writer import Writer

__all__ = ["Catalog", "Owned", "Page", "Reader", "State", "Writer", "restore", "split_object"]
