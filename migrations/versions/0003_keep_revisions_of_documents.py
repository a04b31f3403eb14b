"""keep revisions of documents."""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('document_revision',
    sa.Column('upstream', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('read_digest', sa.Text(), nullable=False),
    sa.Column('seal', sa.Text(), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('texts', sa.LargeBinary(), nullable=True),
    sa.ForeignKeyConstraint(['upstream'], ['upstream.name'], name=op.f('fk_document_revision_upstream'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('upstream', 'number', name=op.f('pk_document_revision')),
    sqlite_strict=True
    )


def downgrade() -> None:
    op.drop_table('document_revision')
