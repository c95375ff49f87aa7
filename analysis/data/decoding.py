"""Decodes photos that may do harm in processes of their own, which can be killed.

Knows processes and time; what is done with a photo is given as a function. A small JPEG or PNG of the usual kind is
decoded where it is: that takes a millisecond or two, and a process of its own would take ten times as long. Every other
photo may be a bomb, or break its decoder, and gets a new process, forked from one that has everything loaded: its
memory is given back whatever the decoder did to it, and no photo can harm the next one. ::

    with processes(seconds=5):
        faces = call(faces_in_photo, data, "detect")
"""

import contextlib
import ctypes
import logging
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pebble import ProcessExpired, concurrent

from analysis.core.memory import give_back
from analysis.data.containers import is_jpeg_or_png, is_plain, pixels_of
from analysis.data.limits import PROCESSES, SECONDS
from analysis.data.photo import FULL_PIXELS, PhotoError

T = TypeVar("T")

_MEMORY = 300_000_000  # bytes that a decoding process may take: what is read from headers keeps it well below
_TOGETHER = 200_000_000  # bytes that all of them may take: two photos of 12 megapixels, or one of the costly kinds
_LARGE_BLOCK = 8 << 20  # bytes from which on memory is given back as soon as it is free
_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_PRELOADED = "analysis.data.decoder"

_PATIENCE = 12  # times as long on the clock
_SAVE_AGAIN = "save it again as JPEG or PNG, and send that"
_TOO_LONG = f"the photo takes too long to decode: {_SAVE_AGAIN}"

_log = logging.getLogger(__name__)


class Decoders:
    """Does work on photos in processes of their own, a few at a time.

    Parameters
    ----------
    seconds
        How long the work on one photo may take, in time of the processor: a busy machine costs no photo its score.
    number
        How many photos are worked on at a time, as long as all together take 200 MB.
    preload
        Modules that processes of the caller need besides decoders; loaded once, and shared by all.
    """

    def __init__(self, seconds: float = SECONDS, number: int = PROCESSES, preload: tuple[str, ...] = ()) -> None:
        self._seconds = seconds
        self._preload = preload
        self._waiting = ThreadPoolExecutor(number, thread_name_prefix="decode")
        self._running: set[Future[Any]] = set()
        self._taken = 0
        self._memory = threading.Condition()
        self._starting = threading.Lock()
        self._works: bool | None = None

    def start(self) -> bool:
        """Start the process that the others are forked from; whether there is one."""
        with self._starting:
            if self._works is None:
                self._works = _can_start(self._preload)
        return self._works

    def start_soon(self) -> None:
        """The same in a thread, so that the first photo finds it started; nobody waits for it to end."""
        threading.Thread(target=self.start, name="decoders", daemon=True).start()

    def submit(self, work: Callable[..., T], data: bytes, *args: Any) -> "Future[T]":
        """Do work on a photo in a process of its own, as soon as its turn has come.

        Parameters
        ----------
        work
            Function of a module, whose arguments and result can be pickled.
        data
            Its first argument, the encoded photo.
        *args
            Its further arguments.

        Returns
        -------
        concurrent.futures.Future
            Raises what ``work`` does, or `PhotoError` if it takes too long or its process dies.
        """
        return self._waiting.submit(self._run, work, data, args)

    def _run(self, work: Callable[..., T], data: bytes, args: tuple[Any, ...]) -> T:
        if not self.start():
            return work(data, *args)
        # Its annotations call the context otherwise than its code does.
        options: dict[str, Any] = {"timeout": on_the_clock(self._seconds), "context": process_context()}
        in_process = concurrent.process(**options)(_work)
        with self._budget(_cost(data)):
            return self._result(in_process, work, bytes(data), args)

    @contextlib.contextmanager
    def _budget(self, cost: int) -> Iterator[None]:
        """Wait until there is memory for a photo; one that takes all there is has it alone."""
        cost = min(cost, _TOGETHER)
        with self._memory:
            self._memory.wait_for(lambda: self._taken + cost <= _TOGETHER)
            self._taken += cost
        try:
            yield
        finally:
            with self._memory:
                self._taken -= cost
                self._memory.notify_all()
            give_back()  # what was sent on leaves holes in this process's memory

    def _result(self, in_process: Callable[..., Any], work: Callable[..., T], data: bytes, args: tuple[Any, ...]) -> T:
        future = in_process(self._seconds, work, data, args)
        self._running.add(future)
        try:
            return future.result()
        except TimeoutError:
            raise took_too_long() from None
        except MemoryError:
            raise takes_too_much() from None
        except ProcessExpired as error:
            raise why_it_died(error.exitcode) from None
        finally:
            self._running.discard(future)

    def close(self) -> None:
        """Give up all photos that are worked on or wait."""
        self._waiting.shutdown(wait=False, cancel_futures=True)
        for future in tuple(self._running):
            future.cancel()


_current: Decoders | None = None


@contextlib.contextmanager
def processes(seconds: float = SECONDS, number: int = PROCESSES) -> Iterator[Decoders]:
    """Let `call` use processes inside the block; those of a script start it again, so it needs a ``__main__`` guard.

    Parameters
    ----------
    seconds, number
        See `Decoders`.
    """
    global _current  # noqa: PLW0603 - what is called inside the block runs in threads that others have started
    before, _current = _current, Decoders(seconds, number)
    try:
        yield _current
    finally:
        _current.close()
        _current = before


def call(work: Callable[..., T], data: bytes, *args: Any) -> T:
    """Do work on a photo: here if it is plain or no block of `processes` is open, else in a process of its own.

    Parameters
    ----------
    work, data, *args
        See `Decoders.submit`.

    Raises
    ------
    PhotoError
        If the work takes too long or its process dies, and what ``work`` raises.
    """
    if _current is None or is_plain(data):
        return work(data, *args)
    return _current.submit(work, data, *args).result()


def _cost(data: bytes) -> int:
    """Bytes of memory that a photo is expected to take until its faces are found."""
    pixels = pixels_of(data)
    if pixels is None:
        return _TOGETHER
    each = 2 if pixels > FULL_PIXELS else 7 if is_jpeg_or_png(data) else 12
    return 15_000_000 + each * pixels


def _work(seconds: float, work: Callable[..., T], data: bytes, args: tuple[Any, ...]) -> T:
    limit_this_process()
    limit_time(seconds)
    return work(data, *args)


def limit_this_process() -> None:
    """Let this process be killed at any time, and take no more memory than a photo may."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Python's own handler waits for the decoder to return
    _limit_memory()


def limit_time(seconds: float) -> None:
    """End this process once it has spent so many more seconds of the processor; 0 for no limit. Not on Windows."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def on_the_clock(seconds: float) -> float:
    """Seconds on the clock after which a process that may spend ``seconds`` of the processor is given up."""
    return seconds * (_PATIENCE if hasattr(signal, "setitimer") else 1)


def took_too_long() -> PhotoError:
    """Say that a photo was given up."""
    return PhotoError(_TOO_LONG)


def takes_too_much() -> PhotoError:
    """Say that a photo takes more memory than there is for it."""
    return PhotoError("the photo is too large to decode: send a smaller one")


def spent_its_time(exit_code: int | None) -> bool:
    """Whether a process has ended at its limit of time."""
    return hasattr(signal, "SIGPROF") and exit_code == -signal.SIGPROF


def why_it_died(exit_code: int | None) -> PhotoError:
    """Say what a photo has done to the process that it was worked on in, and log it."""
    if spent_its_time(exit_code):
        return took_too_long()
    _log.warning("a decoding process has died (%s)", exit_code)
    return PhotoError(f"the photo breaks its decoder: {_SAVE_AGAIN}")


def _nothing() -> None:
    pass


def _limit_memory() -> None:
    """Keep this process within its memory, and let it give back what it no longer needs; on Linux alone."""
    status = Path("/proc/self/status")
    if not status.exists():
        return
    import resource  # noqa: PLC0415 - not on Windows

    taken = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (taken * 1024 + _MEMORY, resource.RLIM_INFINITY))
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


def process_context() -> Any:
    """How processes are started: where the system can, forked from one that has everything loaded."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def _can_start(preload: tuple[str, ...]) -> bool:
    """Whether processes can be started from here; the first one is waited for, as it loads what all have in memory."""
    if multiprocessing.current_process().daemon:  # a worker of Dask's, which may not have processes of its own
        return False
    context = process_context()
    context.set_forkserver_preload([_PRELOADED, *preload, *_of_main()])
    try:
        first = context.Process(target=_nothing, daemon=True)
        first.start()
        first.join()
        started = first.exitcode == 0
    except (OSError, EOFError, RuntimeError):
        started = False
    if not started:
        _log.warning("photos are decoded without processes of their own, as none can be started")
    return started


def _of_main() -> set[str]:
    """Modules that the started script imports: each process imports it again, which costs nothing if they are there."""
    main = sys.modules["__main__"]
    values = vars(main).values() if getattr(main, "__file__", None) else ()
    found = {each.__name__ if isinstance(each, ModuleType) else getattr(each, "__module__", None) for each in values}
    return {name for name in found if isinstance(name, str) and name in sys.modules and name != "__main__"}
