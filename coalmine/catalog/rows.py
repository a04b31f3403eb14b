"""The tables. Rows never leave this package: readers parse them, writers make them.

Rule 1: an object is one row: its name, the JSON document of its definition, and the columns that are queried.
Rule 2: ``seal`` is the digest of the document. A damaged byte is noticed when the row is read, not served.
Rule 3: the large ``document`` column stands last, so that scanning the small ones reads no overflow pages.

A change here needs a migration; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, MetaData, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

# SQLite changes constraints by name only (Alembic's batch mode), so every one has a name.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
_STRICT = {"sqlite_strict": True}


class Row(SQLModel, registry=registry(metadata=MetaData(naming_convention=_NAMES))):
    """Base of all rows, with a metadata of its own."""


class UpstreamRow(Row, table=True):
    __tablename__ = "upstream"
    __table_args__ = (_STRICT,)

    name: str = Field(primary_key=True, sa_type=Text)
    discovered: int = Field(description="1 where discovery is enabled")
    search: str = Field(sa_type=Text)
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class FunctionRow(Row, table=True):
    __tablename__ = "function"
    __table_args__ = (
        ForeignKeyConstraint(["upstream"], ["upstream.name"], ondelete="CASCADE"),
        # Covers listing: filters and pages are found without reading a row.
        Index(None, "upstream", "name", "state", "method", "search", "tags"),
        _STRICT,
    )

    upstream: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    state: str = Field(sa_type=Text)
    method: str = Field(sa_type=Text)
    search: str = Field(sa_type=Text)
    tags: str = Field(sa_type=Text, description="see paging.tag_text")
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class VirtualServiceRow(Row, table=True):
    __tablename__ = "virtual_service"
    __table_args__ = (_STRICT,)

    name: str = Field(primary_key=True, sa_type=Text)
    search: str = Field(sa_type=Text)
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class RouteRow(Row, table=True):
    """``age`` grows and is never used again: the oldest of equal routes wins, and replacing keeps the age."""

    __tablename__ = "route"
    __table_args__ = ({**_STRICT, "sqlite_autoincrement": True},)

    age: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, sa_type=Text)
    virtual_service: str = Field(index=True, sa_type=Text)
    search: str = Field(sa_type=Text)
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class RouteUseRow(Row, table=True):
    """What a route sends to: an upstream (``function`` is empty) or one of its functions."""

    __tablename__ = "route_use"
    __table_args__ = (
        ForeignKeyConstraint(["route"], ["route.name"], ondelete="CASCADE"),
        Index(None, "upstream", "function"),
        _STRICT,
    )

    route: str = Field(primary_key=True, sa_type=Text)
    upstream: str = Field(primary_key=True, sa_type=Text)
    function: str = Field(primary_key=True, sa_type=Text)


class ReportRow(Row, table=True):
    __tablename__ = "report"
    __table_args__ = (ForeignKeyConstraint(["upstream"], ["upstream.name"], ondelete="CASCADE"), _STRICT)

    upstream: str = Field(primary_key=True, sa_type=Text)
    was_read: int = Field(description="1 once a document of the upstream was read")
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class DocumentRow(Row, table=True):
    __tablename__ = "document"
    __table_args__ = (ForeignKeyConstraint(["upstream"], ["upstream.name"], ondelete="CASCADE"), _STRICT)

    upstream: str = Field(primary_key=True, sa_type=Text)
    url: str = Field(primary_key=True, sa_type=Text)
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class DocumentRevisionRow(Row, table=True):
    """What the documents of an upstream were at one time; ``content`` and ``texts`` are deflated."""

    __tablename__ = "document_revision"
    __table_args__ = (ForeignKeyConstraint(["upstream"], ["upstream.name"], ondelete="CASCADE"), _STRICT)

    upstream: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True)
    digest: str = Field(sa_type=Text, description="of the bytes of the documents")
    read_digest: str = Field(sa_type=Text, description="of what was read of them")
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)
    content: bytes = Field(sa_type=LargeBinary)
    texts: bytes | None = Field(default=None, sa_type=LargeBinary, description="as they came; none: too large")


class PinRow(Row, table=True):
    """The definition of a function that a route goes on with, although the service published a breaking one."""

    __tablename__ = "pin"
    __table_args__ = (
        ForeignKeyConstraint(["route"], ["route.name"], ondelete="CASCADE"),
        ForeignKeyConstraint(["upstream"], ["upstream.name"], ondelete="CASCADE"),
        Index(None, "upstream"),
        _STRICT,
    )

    route: str = Field(primary_key=True, sa_type=Text)
    upstream: str = Field(primary_key=True, sa_type=Text)
    function: str = Field(primary_key=True, sa_type=Text)
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class CanaryRow(Row, table=True):
    __tablename__ = "canary"
    __table_args__ = (_STRICT,)

    name: str = Field(primary_key=True, sa_type=Text)
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


NamedRow = UpstreamRow | VirtualServiceRow | RouteRow | CanaryRow


class OwnerRow(Row, table=True):
    """That an object belongs to a set of files; without a row it belongs to the API."""

    __tablename__ = "owner"
    __table_args__ = (Index(None, "owner"), _STRICT)

    object: str = Field(primary_key=True, sa_type=Text, description="such as routes/find-pets")
    owner: str = Field(sa_type=Text)
    seal: str = Field(sa_type=Text, description="that of the object as the set wrote it")


class RevisionRow(Row, table=True):
    """One accepted write; ``number`` grows and is never used again."""

    __tablename__ = "revision"
    __table_args__ = ({**_STRICT, "sqlite_autoincrement": True},)

    number: int | None = Field(default=None, primary_key=True)
    actor: str = Field(sa_type=Text)
    route_order: str | None = Field(default=None, sa_type=Text, description="names, where routes changed places")
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)


class ChangeRow(Row, table=True):
    """One object that a revision changed."""

    __tablename__ = "change"
    __table_args__ = (
        ForeignKeyConstraint(["revision"], ["revision.number"], ondelete="CASCADE"),
        Index(None, "object", "revision"),
        _STRICT,
    )

    revision: int = Field(primary_key=True)
    object: str = Field(primary_key=True, sa_type=Text)
    position: int
    action: str = Field(sa_type=Text)
    place: int | None = Field(default=None, description="of a removed route: how many routes were older")
    seal: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)
