"""Where work is done: on this machine's threads or processes, or on the workers of a Dask cluster.

Knows schedulers and progress bars; knows nothing of the work. ::

    with connected("tcp://10.0.0.5:8786"):      # None: this machine
        ingest("celeba")

The workers need meanface installed, and data where they can reach it: a shared folder or a bucket.
"""

import contextlib
import logging
import multiprocessing
import os
import pickle
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Any

import dask
from tqdm import tqdm
from tqdm.dask import TqdmCallback

from analysis.core.errors import UserError

if TYPE_CHECKING:
    from distributed import Client

_ADDRESS = re.compile(r"(?:tcp|tls|ws|wss|ucx)://[^/\s:]+:\d{1,5}|(?:tcp|tls)://\[[0-9a-fA-F:]+\]:\d{1,5}")
_PATIENCE = 5  # seconds until a scheduler has answered, and until a worker has come
_WORTH = 16  # items from which on processes are worth their start
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# Threads that do not stand in the way of a fork: Zarr's, which wait, and which it starts anew in a forked process.
_FORKABLE = re.compile(r"MainThread|zarr_io|asyncio_\d+")

_log = logging.getLogger(__name__)
_work: Callable[[Any], Any]  # of a process that `_in_processes` started


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Do all of Dask's work inside the block on a cluster.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://10.0.0.5:8786``; None for this machine's threads.

    Raises
    ------
    UserError
        If the address is malformed, no scheduler answers there, it has no workers, it is lost half-way, or its workers
        die over and over.
    """
    if address is None:
        yield
        return
    if not _ADDRESS.fullmatch(address):
        raise UserError(f"{address!r} is no address of a scheduler: give one such as tcp://10.0.0.5:8786")
    # Imported here: it takes longer than most of what is done without it.
    from distributed import Client, KilledWorker  # noqa: PLC0415
    from distributed.client import FutureCancelledError  # noqa: PLC0415
    from distributed.comm import CommClosedError  # noqa: PLC0415

    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise UserError(
            f"no scheduler answers at {address}: start one with `dask scheduler`, or leave out --scheduler"
        ) from error
    with client:
        _await_workers(client, address)
        try:
            yield
        except KilledWorker as error:
            raise UserError(
                f"workers of {address} died over one part again and again: give them more memory and look at their logs"
            ) from error
        except (FutureCancelledError, CommClosedError) as error:
            raise UserError(
                f"the scheduler at {address} is lost: start it again, and this command, which goes on where it stopped"
            ) from error


def _await_workers(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        raise UserError(f"the scheduler at {address} has no workers: start one with `dask worker {address}`") from error


def run(
    work: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    description: str,
    unit: str,
    progress: bool,
    processes: bool = False,
) -> None:
    """Call ``work`` with each item, on the cluster of the block that this is called in or else on this machine.

    Parameters
    ----------
    work
        A function or a partial of one that other processes can import. It may be called again with an item whose
        worker was killed.
    items
        What it is called with.
    description, unit
        Of the progress bar.
    progress
        Whether to show one on stderr.
    processes
        Whether to use this machine's cores by processes instead of by threads, where they can be forked and there are
        enough items: for work of many short steps, whose threads would wait for each other's turn of the interpreter.
    """
    client = _client()
    bar = partial(tqdm, desc=description, unit=unit, disable=not progress)
    if client is not None:
        _on_cluster(client, work, items, bar)
        return
    if processes and len(items) >= _WORTH and _CORES > 1 and _forkable():
        items = _in_processes(work, items, bar)
    if items:
        with TqdmCallback(desc=description, unit=unit, disable=not progress):
            dask.compute(*(dask.delayed(work)(item) for item in items), scheduler="threads")


def _on_cluster(client: "Client", work: Callable[[Any], Any], items: Sequence[Any], bar: Callable[..., tqdm]) -> None:
    from distributed import as_completed  # noqa: PLC0415

    begun = client.map(work, items, pure=False)
    try:
        for future in bar(as_completed(begun), total=len(begun)):
            future.result()
    finally:
        client.cancel(begun)


def _in_processes(work: Callable[[Any], Any], items: Sequence[Any], bar: Callable[..., tqdm]) -> list[Any]:
    """Do the work in a process a core, and return the items that are left where one of them was killed."""
    pool = futures.ProcessPoolExecutor(
        _CORES,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_begin_process,
        initargs=(pickle.dumps(work),),
    )
    begun: list[futures.Future[None]] = []
    try:
        for item in items:
            begun.append(pool.submit(_work_in_process, item))
        for future in bar(futures.as_completed(begun), total=len(begun)):
            future.result()
    except BrokenProcessPool:
        _log.warning("a process of %d was killed: threads do what is left", _CORES)
        done = {i for i, future in enumerate(begun) if future.done() and not future.exception()}
        return [item for i, item in enumerate(items) if i not in done]
    finally:
        pool.shutdown(cancel_futures=True)
    return []


def _forkable() -> bool:
    """Whether a fork is safe here: it inherits the locks that other threads hold.

    The other ways to start a process run the user's script once more, and take longer than 10,000 photos do.
    """
    alone = all(_FORKABLE.fullmatch(each.name) for each in threading.enumerate())
    return sys.platform == "linux" and threading.current_thread() is threading.main_thread() and alone


def _begin_process(work: bytes) -> None:
    """Prepare a process for its items: it has the work once, and ends when the process that started it has ended."""
    global _work  # noqa: PLW0603 - what a pool's initializer leaves, its tasks find nowhere else
    _work = pickle.loads(work)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is told to all: who started this one ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work_in_process(item: Any) -> None:
    _work(item)


def _client() -> "Client | None":
    distributed = sys.modules.get("distributed")  # who has not connected has not imported it
    if distributed is None:
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None
