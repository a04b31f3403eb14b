"""Publishing snapshots: build them, send them to the workers, keep the last one on disk.

Workers import this, too: nothing here loads SQL, YAML or a web framework.
"""

from coalmine.feed.client import FeedClient
from coalmine.feed.publish import SnapshotFeed
from coalmine.feed.server import FeedServer, WorkerState
from coalmine.feed.snapshot_file import read_snapshot_file, write_snapshot_file

__all__ = ["FeedClient", "FeedServer", "SnapshotFeed", "WorkerState", "read_snapshot_file", "write_snapshot_file"]
