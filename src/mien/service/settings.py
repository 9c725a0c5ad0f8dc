"""Settings of the service: its limits, access control and parallelism."""

from dataclasses import dataclass, field

from mien.service.access import Access
from mien.service.limits import Limits
from mien.threads import thread_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Limits, access control, and parallelism.

    Args:
        limits: of size, rate and time.
        access: access control.
        workers: processes that decode pictures and find faces, at least 1.
        threads: that these compute with, all together; by default see `mien.threads.thread_count`.
        gather_seconds: longest wait of a request's faces for those of others, to be batched (see `Batcher`).
    """

    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    workers: int = 2
    threads: int | None = None
    gather_seconds: float = 0.004

    @property
    def threads_each(self) -> int:
        """Threads that each worker computes with, at least 1."""
        return max(1, thread_count(self.threads) // self.workers)
