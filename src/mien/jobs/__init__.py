"""Jobs that end: many pictures and videos into Parquet parts, every input exactly once, whatever is killed."""

from mien.jobs.accounts import JobStatus
from mien.jobs.job import Running, run, status

__all__ = ["JobStatus", "Running", "run", "status"]
