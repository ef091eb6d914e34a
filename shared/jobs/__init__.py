"""Long work in pieces: workers that repeat it, and jobs that several processes share and that survive any of them."""

from shared.jobs.job import Chunk, Jobs, JobStatus, Progress
from shared.jobs.worker import Worker

__all__ = ["Chunk", "JobStatus", "Jobs", "Progress", "Worker"]
