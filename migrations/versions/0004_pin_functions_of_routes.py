"""pin functions of routes."""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('pin',
    sa.Column('route', sa.Text(), nullable=False),
    sa.Column('upstream', sa.Text(), nullable=False),
    sa.Column('function', sa.Text(), nullable=False),
    sa.Column('seal', sa.Text(), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['route'], ['route.name'], name=op.f('fk_pin_route'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['upstream'], ['upstream.name'], name=op.f('fk_pin_upstream'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('route', 'upstream', 'function', name=op.f('pk_pin')),
    sqlite_strict=True
    )
    with op.batch_alter_table('pin', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_pin_upstream'), ['upstream'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('pin', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_pin_upstream'))

    op.drop_table('pin')
