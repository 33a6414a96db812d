"""A backend of workers that report what a test says, in this process."""

from dqn.training.jobs import ChunkResult, Finished


class FakeWorker:
    """Reports what is in `reports`, and raises what is an error there."""

    ready = True

    def __init__(self, *reports):
        self.given, self.reports = [], list(reports)

    def send(self, request):
        self.given += request.new

    def poll(self):
        reports, self.reports = self.reports, []
        for report in reports:
            if isinstance(report, Exception):
                raise report
        return reports

    def end(self):
        return ""


class FakeBackend:
    """A backend of such workers; `make` is given those made before."""

    def __init__(self, capacity, make=lambda workers: FakeWorker()):
        self.capacity, self.make, self.workers = capacity, make, []

    def start(self):
        self.workers.append(self.make(self.workers))
        return self.workers[-1]

    def wait(self, workers, seconds):
        return [one for one in workers if one.reports]

    def close(self):
        pass


def over(jobs):
    """The report that these are over."""
    return ChunkResult([], [Finished.pruned(job) for job in jobs])
