"""Processes that hold the model and score small photos, each one after the other; the server's own has the network.

In threads of one process, photos and requests would wait for Python's lock in turns, which costs a quarter of the
machine. A process that takes too long is ended, and another one takes its place. So it does where one dies: the photo
gets a second process, since it may have been another program that ended the first one.

The parent talks to each process over a pipe from its event loop, since the threads of a pool of processes would take
Python's lock for longer than the answer to a request takes. A busy process is sent its next photo ahead, so that it
need not wait for the parent in between, which costs as much as to decode a small photo.
"""

import asyncio
import logging
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Concatenate, ParamSpec, TypeVar

import cv2

from analysis.data import decoding
from analysis.data.photo import PhotoError
from model.predict import Predictor

P = ParamSpec("P")
T = TypeVar("T")

_DEATHS = 2  # processes that may die of a photo
_SHORT = 24_000  # bytes of what is sent ahead: photos that take some milliseconds, and no face of `model.heat`
_STILLBORN = 3  # processes in a row that end before they are ready, until it is given up

_log = logging.getLogger(__name__)


class NoWorkersError(Exception):
    """There are no processes; the work is to be done here."""


@dataclass(eq=False)
class _Job:
    message: bytes
    done: "asyncio.Future[Any]"
    deaths: int = 0

    @property
    def short(self) -> bool:
        return len(self.message) <= _SHORT

    def answer(self, answer: Any) -> None:
        if self.done.done():  # whoever waited has given up meanwhile
            return
        if isinstance(answer, Exception):
            self.done.set_exception(answer)
        else:
            self.done.set_result(answer)


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    line: Connection
    ready: bool = False
    jobs: deque[_Job] = field(default_factory=deque)  # the first is worked on
    clock: asyncio.TimerHandle | None = None
    given_up: bool = False

    @property
    def has_room(self) -> bool:
        """Whether a short job may be sent ahead: what it works on ends soon."""
        return len(self.jobs) == 1 and self.jobs[0].short

    def stop_clock(self) -> None:
        """Wait no longer for the end of what it works on."""
        if self.clock:
            self.clock.cancel()
        self.clock = None


class Workers:
    """Does work with a predictor in processes; belongs to one event loop.

    Parameters
    ----------
    predictor
        The predictor, which must have been made from a file; see `Predictor.content`.
    number
        How many processes.
    seconds
        How long the work on one photo may take, in time of the processor.
    """

    def __init__(self, predictor: Predictor, number: int, seconds: float) -> None:
        self._content = predictor.content
        self._number = number
        self._seconds = seconds
        self._all: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._waiting: deque[_Job] = deque()
        self._stillborn = 0
        self._closed = False

    def start(self) -> None:
        """Start the processes; work may be given before they are ready."""
        try:
            while len(self._all) < self._number and self.usable:
                self._start_one()
        except (OSError, EOFError, NotImplementedError) as error:  # the last one where a loop cannot read pipes
            _log.warning("photos are scored without processes of their own, as none can be started (%s)", error)
            self.close()

    @property
    def usable(self) -> bool:
        """Whether there are processes, or will be in a moment."""
        return not self._closed

    async def do(self, work: Callable[Concatenate[Predictor, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Do work in a process as soon as one is free.

        Parameters
        ----------
        work
            Function of a module, which is given the process's own predictor first.
        *args, **options
            Its further arguments.

        Raises
        ------
        PhotoError
            If the work takes too long or its process dies, and what ``work`` raises.
        NoWorkersError
            If there are no processes.
        """
        if not self.usable:
            raise NoWorkersError
        message = pickle.dumps((work, args, options), pickle.HIGHEST_PROTOCOL)
        job = _Job(message, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._go_on()
        answer: T = await job.done
        return answer

    def close(self) -> None:
        """End the processes, and what they work on."""
        self._closed = True
        for worker in tuple(self._all):
            self._forget(worker)
            worker.process.kill()
            worker.stop_clock()
            for job in worker.jobs:
                job.answer(NoWorkersError())
        while self._waiting:
            self._waiting.popleft().answer(NoWorkersError())

    def _start_one(self) -> None:
        context = decoding.process_context()
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._content, self._seconds), name="score", daemon=True)
        try:
            process.start()
        finally:
            theirs.close()
        worker = _Worker(process, ours)
        self._all.add(worker)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._read, worker)
        os.set_blocking(ours.fileno(), True)  # uvloop changes that: a long photo would be sent in part

    def _go_on(self) -> None:
        while self._waiting:
            job = self._waiting[0]
            if job.done.done():  # given up meanwhile
                self._waiting.popleft()
                continue
            if self._idle:
                worker = self._idle.pop()
            elif job.short and (busy := next((each for each in self._all if each.has_room), None)):
                worker = busy
            else:
                return
            self._waiting.popleft()
            worker.jobs.append(job)
            if len(worker.jobs) == 1:
                self._start_clock(worker)
            try:
                worker.line.send_bytes(job.message)
            except OSError:  # it has died, and if not, it cannot be used: `_read` hears of it
                worker.process.kill()

    def _start_clock(self, worker: _Worker) -> None:
        patience = decoding.on_the_clock(self._seconds)
        worker.clock = asyncio.get_running_loop().call_later(patience, self._give_up, worker)

    def _give_up(self, worker: _Worker) -> None:
        worker.given_up = True
        worker.process.kill()

    def _read(self, worker: _Worker) -> None:
        try:
            answer = worker.line.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if worker.ready:
            worker.stop_clock()
            worker.jobs.popleft().answer(answer)
        worker.ready = True
        self._stillborn = 0
        if worker.jobs:
            self._start_clock(worker)
        else:
            self._idle.append(worker)
        self._go_on()

    def _replace(self, worker: _Worker) -> None:
        """A process has ended: do again what it worked on, or say why not, and start another one."""
        self._forget(worker)
        worker.process.join(1)
        worker.stop_clock()
        if worker.jobs:
            job = worker.jobs.popleft()
            self._waiting.extendleft(reversed(worker.jobs))  # it had not begun with these
            job.deaths += 1
            error = decoding.took_too_long() if worker.given_up else decoding.why_it_died(worker.process.exitcode)
            if worker.given_up or job.deaths == _DEATHS or decoding.spent_its_time(worker.process.exitcode):
                job.answer(error)
            else:
                self._waiting.appendleft(job)
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= _STILLBORN:
                _log.warning("photos are scored without processes of their own, as these end when they start")
                self.close()
        self.start()
        self._go_on()

    def _forget(self, worker: _Worker) -> None:
        asyncio.get_running_loop().remove_reader(worker.line.fileno())
        worker.line.close()
        self._all.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)


def _work(line: Connection, content: tuple[str, bytes], seconds: float) -> None:
    """Do what comes over a pipe, until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of a terminal: the server ends this one
    cv2.setNumThreads(1)
    predictor = Predictor.from_content(*content, threads=1)
    decoding.limit_this_process()
    line.send(None)
    while True:
        try:
            work, args, options = line.recv()
        except (EOFError, OSError):
            return
        decoding.limit_time(seconds)
        try:
            answer = work(predictor, *args, **options)
        except PhotoError as error:
            answer = error
        except MemoryError:
            answer = decoding.takes_too_much()
        except Exception as error:
            _log.exception("scoring a photo has failed")
            answer = RuntimeError(f"{type(error).__name__}: {error}")
        decoding.limit_time(0)
        line.send(answer)
