"""Reads the journal and hands it to a sink, batch by batch.

Whoever runs a :class:`Shipper` holds the lease of its journal: a process of its own
(``shipper_process.py``), a thread of a process that publishes (``shipping.py``), or a command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from z4j_django import logs
from z4j_django.agent import batching, dead, events, housekeeping, journal, leases, losses
from z4j_django.agent.batching import Slice
from z4j_django.agent.read_ahead import ReadAhead
from z4j_django.agent.sink import Sink, Status
from z4j_django.exceptions import SegmentError, UnstorableError

logger = logs.logger("z4j_django.shipper")

#: Bytes of events in one batch, about. Larger ones are a tenth quicker, and take 25 MB more.
BATCH: Final = 512 * 1024
#: Bytes that are read of one segment before another, if its events are older, has its turn.
SHARE: Final = 16 * 1024
#: Segments that are open at once: a process may open no more than some hundred files.
OPEN: Final = 128
#: Bytes of a batch behind which more is to be expected at once.
FULL: Final = BATCH // 2
#: Seconds to let events gather behind a smaller one: a transaction costs the same for one task
#: as for a hundred, and the events of a task that come in one batch are written as one row.
GATHER: Final = 0.2
#: Seconds between two looks at a journal in which nothing happens.
IDLE: Final = 0.25
#: Seconds of quiet after which the sink may let its connection go.
RELEASE_AFTER: Final = 5.0
#: Seconds between two tries of a sink that fails: the first and the longest.
BACKOFF: Final = (0.5, 30.0)
#: Failures in a row after which a batch itself may be the reason.
PATIENCE: Final = 5
#: Seconds between two log lines about the same trouble.
LOG_EVERY: Final = 60.0
#: Seconds between two reports of how the journal stands.
REPORT_EVERY: Final = 10.0
#: Bytes of a journal, unless the settings say otherwise.
MAX_BYTES: Final = 1024**3
#: File of the events that no sink can take, and the bytes that it may grow to.
DEAD: Final = "dead.ndjson"
DEAD_BYTES: Final = 16 * 1024**2


class Shipper:
    """Ships one journal directory.

    Args:
        directory: The journal.
        sink: Where the events go.
        max_bytes: Size past which the oldest closed segments are dropped.
    """

    def __init__(self, directory: Path, sink: Sink, max_bytes: int = MAX_BYTES) -> None:
        self.directory = directory
        self.sink = sink
        self.max_bytes = max_bytes
        self._files: dict[str, journal.SegmentFile] = {}
        self._known_offsets: dict[str, int] = {}
        self._left_alone: set[str] = set()
        #: Of segments that are deleted, and whose cursors the sink may let go.
        self._deleted: list[str] = []
        #: Where more segments lie than can be open: the last one of this round that had its
        #: turn, and whether others wait for theirs.
        self._turn = ""
        self._others_wait = False
        self._ahead: ReadAhead | None = None
        self._failures = 0
        self._logged = 0.0
        self._busy_at = time.monotonic()
        self._reported = 0.0

    def run(self, stop: threading.Event, until: Callable[[], bool] = lambda: False) -> None:
        """Ship until ``stop`` is set or ``until`` says so."""
        wait, turns = 0.0, housekeeping.Turns(self.sink.housekeep)
        while not stop.wait(wait) and not until():
            wait = self.step()
            turns.take(unless=self._failures > 0)

    def step(self) -> float:
        """Ship what is there, one batch at most.

        Returns:
            Seconds to wait before the next step.
        """
        try:
            wait = self._ship()
            self._failures = 0
            now = time.monotonic()
            if now - self._reported > REPORT_EVERY:
                self._tell_losses()
                self._reported = now
                self.sink.report(self.status())
            if wait is not None:
                self._busy_at = now
                return wait
            if now - self._busy_at > RELEASE_AFTER:
                self._busy_at = now
                self.sink.close()
            return IDLE
        except Exception as error:  # any sink, any reason: nothing is lost while it fails
            return self._back_off(error)

    def drain(self, seconds: float) -> bool:
        """Ship all that is there now.

        Args:
            seconds: How long it may take.

        Returns:
            Whether nothing is left.
        """
        deadline = time.monotonic() + seconds
        self._reported = 0.0  # the first step tells losses
        while (wait := self.step()) != IDLE:
            if wait == GATHER:
                wait = 0.0
            if time.monotonic() + wait >= deadline:
                return False
            time.sleep(wait)
        self._reported = 0.0  # the last word tells that nothing is left
        with contextlib.suppress(Exception):
            self.sink.report(self.status())
        return True

    def close(self) -> None:
        """Let go of all files and of the sink's connections."""
        self._forget_positions()
        with contextlib.suppress(Exception):
            self.sink.end()
        with contextlib.suppress(Exception):
            self.sink.close()

    def status(self) -> Status:
        """How the journal stands; the oldest event is that of the segments that are open."""
        times = [batching.first_time(file) for file in self._files.values()]
        if self._ahead is not None:
            times += [batching.time_of(part.data) for part in self._ahead.batch]
        oldest = min((at for at in times if at is not None), default=None)
        sizes = {path.stem: size for path, size in journal.sizes(self.directory).items()}
        read = {name: self._known_offsets.get(name, 0) for name in sizes}
        starts = {file.name: file.start for file in self._files.values()}
        read.update((name, max(self._known_offsets[name], at)) for name, at in starts.items())
        return Status(
            host=socket.gethostname(),
            directory=str(self.directory),
            pid=os.getpid(),
            at=time.time(),
            segments=len(sizes),
            size=sum(sizes.values()),
            pending=sum(max(size - read[name], 0) for name, size in sizes.items()),
            oldest=oldest,
            limit=self.max_bytes,
            free=shutil.disk_usage(self.directory).free,
        )

    def _ship(self) -> float | None:
        """Ship a batch; the seconds to wait before the next, or ``None`` where nothing is left."""
        self._delete_stored()  # before all else: on a full disk, that makes room
        self._discover()
        batch, prepared = self._next_batch()
        if not batch:
            self._store_torn_ends()
            self._delete_stored()
            if self._deleted:
                self.sink.forget(self._deleted)
                self._deleted.clear()
            journal.delete_unborn(self.directory)
            return 0.0 if self._next_turn() else None
        is_full = sum(len(part.data) for part in batch) >= FULL
        if is_full and self.sink.reads_ahead:
            self._ahead = ReadAhead(self._read, self.sink.prepare)
        try:
            offsets = self._apply(batch, prepared)
        finally:
            if self._ahead is not None:
                self._ahead.wait()
        self._known_offsets.update(offsets)
        if self._ahead is None or any(offsets[part.segment] != part.end for part in batch):
            self._rewind()
        return 0.0 if is_full else GATHER

    def _next_batch(self) -> tuple[Sequence[Slice], Any]:
        """The batch that was read ahead, or else one that is read now."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return self._read(), None
        known = all(part.segment in self._files for part in ahead.batch)
        if ahead.batch and known and not ahead.failed:
            return ahead.batch, ahead.prepared
        self._rewind()
        return self._read(), None

    def _read(self) -> list[Slice]:
        return batching.read(self._files.values(), BATCH, SHARE)

    def _rewind(self) -> None:
        """Go on where the sink stands, whatever was read ahead."""
        self._ahead = None
        for file in self._files.values():
            file.offset = self._known_offsets[file.name]

    def _apply(self, batch: Sequence[Slice], prepared: Any = None) -> Mapping[str, int]:
        """Have the batch stored; one that can't be is halved until the bad event is alone."""
        try:
            return self.sink.apply(batch, prepared)
        except Exception as error:  # any sink, any reason
            if not self._is_refused(error):
                raise
            halves = batching.halves(batch)
            if halves is None:
                return self._set_aside(batch[0], error)
            first, second = halves
            return {**self._apply(first), **self._apply(second)}

    def _is_refused(self, error: Exception) -> bool:
        """Whether it is the batch that is in the way, and not the sink."""
        if isinstance(error, UnstorableError):
            return True
        return self._failures >= PATIENCE and self.sink.refuses(error)

    def _set_aside(self, alone: Slice, error: Exception) -> Mapping[str, int]:
        """Have an event stored without its texts, keep it in a file, and go on behind it.

        What does not even take that is no fault of the event's, unless the sink says so: then
        it is a loss.
        """
        try:
            offsets = self.sink.apply([dead.bared(alone)])
        except UnstorableError:
            offsets = self.sink.apply([dead.lost(alone, error)])
        dead.keep(self.directory / DEAD, alone, error, DEAD_BYTES)
        return offsets

    def _tell_losses(self) -> None:
        """Store the losses that lie beside the segments."""
        while found := losses.take(self.directory, OPEN):
            self.sink.apply(list(found.values()))
            for path, part in found.items():
                losses.delete(path)
                self._deleted.append(part.segment)

    def _discover(self) -> None:
        found = {path.stem: path for path in journal.segments(self.directory)}
        for known in list(self._files.values()):
            # What someone deleted is read to its end, unless its writer has written it anew.
            if known.path.exists() if known.is_deleted else known.name not in found:
                self._files.pop(known.name).close()
        unopened = found.keys() - self._files.keys() - self._left_alone
        fresh = sorted(name for name in unopened if name > self._turn)
        room = OPEN - len(self._files)
        self._others_wait = len(fresh) > room
        if not fresh[:room]:
            return
        opened = [file for name in fresh[:room] if (file := self._open(found[name]))]
        positions = self.sink.positions([file.name for file in opened])
        for file in opened:
            file.offset = self._known_offsets[file.name] = positions.get(file.name, 0)
            self._files[file.name] = file

    def _next_turn(self) -> bool:
        """Turn to the segments that wait, now that those which are open are read to their end.

        Returns:
            Whether there are any; if not, the next round begins with the oldest.
        """
        if self._others_wait and len(self._files) >= OPEN:
            self._turn = max(self._files)
            self._forget_positions()
        elif self._turn and not self._others_wait:
            self._turn = ""
            self._forget_positions()
        return self._others_wait

    def _open(self, path: Path) -> journal.SegmentFile | None:
        try:
            file = journal.SegmentFile(path)
        except SegmentError as error:
            self._left_alone.add(path.stem)
            logger.error("%s It is set aside as %s.unreadable.", error, path.name)
            with contextlib.suppress(OSError):  # then it is skipped where it is
                path.rename(path.with_name(path.name + ".unreadable"))
            return None
        except FileNotFoundError:
            return None
        if file.is_newer:
            logger.warning("A newer version wrote %s; it is left to a newer shipper.", path.name)
            self._left_alone.add(file.name)
            file.close()
            return None
        return file

    def _store_torn_ends(self) -> None:
        """Have the sink count what a dead writer left behind the last whole line of its segment."""
        for file in self._files.values():
            if file.writer_is_dead() and not file.read(BATCH)[0] and (rest := file.rest()):
                end = max(file.offset, file.start) + len(rest)
                # The newline is all that a line may lack that is not torn.
                part = Slice(file.name, file.header, file.offset, end, rest + b"\n")
                self._known_offsets.update(self.sink.apply([part]))
                file.offset = self._known_offsets[file.name]

    def _delete_stored(self) -> None:
        """Delete the segments that are stored to their end and whose writers are dead."""
        for name, file in list(self._files.items()):
            stored = max(self._known_offsets[name], file.start)
            # The size counts once nobody writes any more.
            if stored >= file.size and file.writer_is_dead() and stored >= file.size:
                self._delete(file)

    def _delete(self, file: journal.SegmentFile) -> None:
        if file.delete():
            self._deleted.append(file.name)
        self._files.pop(file.name, None)
        self._known_offsets.pop(file.name, None)

    def _back_off(self, error: Exception) -> float:
        self._failures += 1
        wait: float = min(BACKOFF[0] * 2 ** (self._failures - 1), BACKOFF[1])
        now = time.monotonic()
        if self._failures == 1 or now - self._logged > LOG_EVERY:
            self._logged = now
            logger.warning(
                "The journal can't be stored, the next try is in %.1f s; nothing is lost: %s: %s",
                wait,
                type(error).__name__,
                error,
            )
        # Whether the failed batch is in, only the sink knows: ask again where it stands.
        self._forget_positions()
        with contextlib.suppress(OSError):
            self._keep_below_cap()
        with contextlib.suppress(Exception):
            self.sink.close()
        return wait

    def _forget_positions(self) -> None:
        self._rewind()
        for name, file in list(self._files.items()):
            if not file.is_deleted:  # which could not be opened again
                self._files.pop(name).close()

    def _keep_below_cap(self) -> None:
        """Drop the oldest closed segments while the journal is larger than it may be."""
        sizes = journal.sizes(self.directory)
        excess = sum(sizes.values()) - self.max_bytes
        stored: Mapping[str, int] | None = None
        if excess > 0:
            with contextlib.suppress(Exception):  # it fails, but may answer
                stored = self.sink.positions([path.stem for path in sizes])
        for path, size in sizes.items():
            if excess <= 0:
                return
            if path.stem in self._left_alone:
                continue
            file = self._open(path)
            if file is None:
                continue
            if file.writer_is_dead():
                self._give_up(file, stored)
                excess -= size
            else:
                file.close()

    def _give_up(self, file: journal.SegmentFile, stored: Mapping[str, int] | None) -> None:
        """Drop a segment, and count what is lost with it: at most, where the sink is not heard."""
        file.offset = (self._known_offsets if stored is None else stored).get(file.name, 0)
        if lost := file.count_lines():
            project, at_most = file.header.project, stored is None
            loss = losses.Loss(file.name, lost, events.OVER_CAP, project, at_most)
            losses.drop(file.path, loss)
            count = f"{'at most ' * at_most}{lost}"
            logger.error("The journal is full: %s events of %s are lost.", count, file.path.name)
        self._delete(file)


def process_lease(directory: Path) -> leases.Lease:
    """Held by a shipper process; threads make way for it."""
    return leases.Lease(directory / "process.lock")


def lease(directory: Path) -> leases.Lease:
    """Held by whoever ships."""
    return leases.Lease(directory / "lease.lock")
