"""Write tracked runs: one MLflow run per attempt at a cell, one experiment per study.

Runs are addressed by their ids throughout (MLflow's "active run" is global to a process, and a
trainer's callback of an earlier cell can end it). Curves are buffered and logged in batches.
"""

import math
import os
import posixpath
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from benchmark.common.errors import CrosstalkError
from benchmark.common.termination import Terminated
from benchmark.tracking import names
from benchmark.tracking.address import shown
from benchmark.tracking.artifacts import beside, settle
from benchmark.tracking.reading import search
from benchmark.tracking.store import await_turn, connect, experiment_id, speaking_to

Status = Literal["trained", "complete", "failed", "killed"]
MLFLOW_STATUS: Mapping[Status, str] = {
    "trained": "FINISHED",
    "complete": "FINISHED",
    "failed": "FAILED",
    "killed": "KILLED",
}
BATCH = 500  # points; MLflow takes 1,000 at once, and one at a time costs 3 to 14 ms each
INTERVAL = 5.0  # seconds between flushes of a smaller buffer
LONGEST = 6000  # characters of a value; MLflow cuts off the rest silently


class CellRun:
    """Log one attempt at a cell.

    A context manager: an exception inside the block ends the run as failed, SIGTERM (see
    ``termination.terminable``) and Ctrl-C as killed. A block that ends well ends a
    started run as trained, unless :meth:`end` has been called, and flushes an attached one.

    MLflow takes the point with the latest time where a step was logged again. So times ascend here
    whatever the clock does: what is logged later counts, on any host.
    """

    def __init__(self, client: MlflowClient, uri: str, run_id: str, *, open_run: bool) -> None:
        self.run_id = run_id
        self._client = client
        self._uri = uri
        self._open = open_run
        self._points: list[Metric] = []
        self._times: dict[str, int] = {}  # of each metric's last point
        self._flushed = time.monotonic()

    @classmethod
    def start(
        cls, uri: str, study: str, tags: Mapping[str, str], params: Mapping[str, str]
    ) -> Self:
        """Start a new run of the cell that the tags ``cell`` and ``cell_hash`` name.

        Earlier runs of the same cell and hash become superseded; those that a dead process of this
        host left running end as killed. The caller holds the cell's lock, so no live process of
        this host works at the cell.
        """
        _check_lengths("tag", tags)
        _check_lengths("parameter", params)
        client = connect(uri)
        with speaking_to(uri):
            await_turn(uri)
            settle(uri)
            experiment = experiment_id(client, uri, study)
            cell, cell_hash = tags[names.CELL], tags[names.CELL_HASH]
            earlier = list(search(client, experiment, f"tags.{names.CELL} = '{cell}'"))
            same = [run for run in earlier if run.data.tags[names.CELL_HASH] == cell_hash]
            number = 1 + max(map(_attempt, earlier), default=0)
            attempt = {names.STATUS: names.RUNNING, names.ATTEMPT: str(number)}
            own = {**tags, **attempt, **_process()}
            created = client.create_run(experiment, tags=own, run_name=cell)
        run = cls(client, uri, created.info.run_id, open_run=True)
        try:
            run._log_params(params)
            run._supersede(earlier, same)
        except BaseException as error:
            run.__exit__(type(error), error, error.__traceback__)
            raise
        return run

    @classmethod
    def attach(cls, uri: str, run_id: str) -> Self:
        """Open an earlier run to log more to it; its status stays until :meth:`end`."""
        client = connect(uri)
        with speaking_to(uri):
            await_turn(uri)
            settle(uri)
            if client.get_run(run_id).info.lifecycle_stage != "active":
                raise CrosstalkError(f"tracking store {shown(uri)}: run {run_id} was deleted")
        return cls(client, uri, run_id, open_run=False)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log values at a step. NaN is kept; an infinity becomes NaN, and ``diverged`` is 1."""
        values = {_checked_name(name): float(value) for name, value in metrics.items()}
        if any(math.isinf(value) for value in values.values()):
            values = {n: math.nan if math.isinf(v) else v for n, v in values.items()}
            values[names.DIVERGED] = 1.0
        now = int(time.time() * 1000)
        for name, value in values.items():
            self._times[name] = max(now, self._last_time(name) + 1)
            self._points.append(Metric(name, value, self._times[name], step))
        if len(self._points) >= BATCH or time.monotonic() - self._flushed >= INTERVAL:
            self.flush()

    def evaluate_as(self, cell: str, cell_hash: str, diagnosis_hash: str) -> None:
        """Have the run hold the result of this hash from now on, which :meth:`end` completes.

        Until then nothing of it counts. Of what it held, a cause that another diagnosis than the
        present one gave is removed. Other runs of the cell and hash become superseded, as by a new
        run; a run that is superseded itself stays that.
        """
        with self._storing():
            own = self._client.get_run(self.run_id)
            tags, experiment = own.data.tags, own.info.experiment_id
            found = list(search(self._client, experiment, f"tags.{names.CELL} = '{cell}'"))
            diagnosed = tags.get(names.DIAGNOSIS_HASH) == diagnosis_hash
            for gone in (names.DIVERGED, *(() if diagnosed else (names.ATTRIBUTION,))):
                if gone in tags:
                    self._client.delete_tag(self.run_id, gone)
        if tags.get(names.STATUS) == names.SUPERSEDED:
            self.tag(**{names.CELL_HASH: cell_hash})
            return
        self.tag(**{names.STATUS: names.TRAINED, names.CELL_HASH: cell_hash})
        others = [run for run in found if run.info.run_id != self.run_id]
        self._supersede(
            [], [run for run in others if run.data.tags.get(names.CELL_HASH) == cell_hash]
        )

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Store a file, or a folder's content, with the run, below ``folder`` if given.

        Beside an SQLite store they go where the project lies now, whatever the run's row says.
        """
        with self._storing():
            named = self._client.get_run(self.run_id).info.artifact_uri or ""
            place = beside(self._uri, named)
            if place is not None:
                kept = LocalArtifactRepository(place.as_uri())
                store = kept.log_artifacts if path.is_dir() else kept.log_artifact
                store(str(path), folder)
            elif path.is_dir():
                self._client.log_artifacts(self.run_id, str(path), folder)
            else:
                self._client.log_artifact(self.run_id, str(path), folder)

    def tag(self, **tags: str) -> None:
        """Set tags; setting one again replaces it."""
        _check_lengths("tag", tags)
        with self._storing():
            self._client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def flush(self) -> None:
        """Write the buffered points. They stay buffered if that fails."""
        points = list(self._points)
        if points:
            with self._storing():  # points keep their time, so writing them again changes nothing
                self._client.log_batch(self.run_id, metrics=points)
        del self._points[: len(points)]
        self._flushed = time.monotonic()

    def end(self, status: Status) -> None:
        """Flush and end the run. May be called again, for instance after an evaluation."""
        self.flush()
        self._terminate(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            if self._open:
                self.end("trained")
            else:
                self.flush()
            return
        killed = isinstance(error, Terminated | KeyboardInterrupt)
        try:
            self._terminate("killed" if killed else "failed")
            self.flush()
        except CrosstalkError as second:  # the first error is the one to report
            error.add_note(f"The run's end was not tracked: {second}")

    def _last_time(self, name: str) -> int:
        """Return the time of a metric's last point, in milliseconds; 0 if it has none."""
        if name not in self._times and not self._open:
            with speaking_to(self._uri):
                history = self._client.get_metric_history(self.run_id, name)
            return max((point.timestamp for point in history), default=0)
        return self._times.get(name, 0)

    @contextmanager
    def _storing(self) -> Iterator[None]:
        with speaking_to(self._uri):
            await_turn(self._uri)
            yield

    def _terminate(self, status: Status) -> None:
        with self._storing():
            self._client.set_terminated(self.run_id, MLFLOW_STATUS[status])
            present = self._client.get_run(self.run_id).data.tags.get(names.STATUS)
            if present != names.SUPERSEDED:
                self._client.set_tag(self.run_id, names.STATUS, status)  # last: it makes it count
        self._open = False

    def _log_params(self, params: Mapping[str, str]) -> None:
        with self._storing():
            self._client.log_batch(self.run_id, params=[Param(k, v) for k, v in params.items()])

    def _supersede(self, earlier: Sequence[Run], same: Sequence[Run]) -> None:
        host = socket.gethostname()
        with self._storing():
            for run in earlier:
                if run.info.status == "RUNNING" and run.data.tags[names.HOST] == host:
                    self._client.set_terminated(run.info.run_id, "KILLED")
                    self._client.set_tag(run.info.run_id, names.STATUS, names.KILLED)
            by = RunTag(names.SUPERSEDED_BY, self.run_id)
            for run in same:
                if run.data.tags[names.STATUS] != names.SUPERSEDED:
                    tags = [by, RunTag(names.STATUS, names.SUPERSEDED)]
                    self._client.log_batch(run.info.run_id, tags=tags)


def _attempt(run: Run) -> int:
    return int(run.data.tags.get(names.ATTEMPT, "0"))


def _process() -> dict[str, str]:
    return {names.HOST: socket.gethostname(), names.PID: str(os.getpid())}


def _check_lengths(kind: str, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if len(value) > LONGEST:
            raise CrosstalkError(
                f"{kind} {name!r}: expected at most {LONGEST} characters, which the tracking store "
                f"keeps, got {len(value)}"
            )


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[\w.\- :/]{1,250}", name) or _normal(name) != name:
        raise CrosstalkError(
            f"metric {name!r}: expected up to 250 letters, digits and any of '_-. :/', "
            "as a relative path"
        )
    return name


def _normal(name: str) -> str:
    return posixpath.normpath(posixpath.join("/", name)).lstrip("/")
