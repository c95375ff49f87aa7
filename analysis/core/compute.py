"""Runs work on this machine's threads, or on the workers of a Dask cluster. ::

    with connected("tcp://10.0.0.5:8786"):      # None: this machine
        ingest("celeba")

Meanface must be installed on the workers, and they must have access to the data: in a shared folder or a bucket.
"""

import contextlib
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import dask
from tqdm import tqdm
from tqdm.dask import TqdmCallback

from analysis.core.errors import UserError

if TYPE_CHECKING:
    from distributed import Client

_ADDRESS = re.compile(r"(?:tcp|tls|ws|wss|ucx)://[^/\s:]+:\d{1,5}|(?:tcp|tls)://\[[0-9a-fA-F:]+\]:\d{1,5}")
_EACH = 3  # items on their way for each thread of a cluster
_PATIENCE = 5  # seconds until a scheduler has answered, and until a worker has come


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Run all Dask computations inside the block on a cluster.

    Parameters
    ----------
    address
        Address of the scheduler, such as ``tcp://10.0.0.5:8786``; None for this machine's threads.

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
        raise UserError(f"{address!r} is not a valid scheduler address: give one such as tcp://10.0.0.5:8786")
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
                f"the scheduler at {address} is lost: start it again, and this command, which resumes where it stopped"
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
        Name and unit of the progress bar.
    progress
        Whether to show one on stderr.
    """
    client = _client()
    if client is not None:
        _on_cluster(client, work, items, partial(tqdm, desc=description, unit=unit, disable=not progress))
        return
    with TqdmCallback(desc=description, unit=unit, disable=not progress):
        dask.compute(*(dask.delayed(work)(item) for item in items), scheduler="threads")


def _on_cluster(client: "Client", work: Callable[[Any], Any], items: Sequence[Any], bar: Callable[..., tqdm]) -> None:
    from distributed import as_completed  # noqa: PLC0415

    tasks = client.map(work, items, pure=False)
    try:
        for future in bar(as_completed(tasks), total=len(tasks)):
            future.result()
    finally:
        client.cancel(tasks)


def on_cluster() -> bool:
    """Whether this is called inside a block of `connected` that has a cluster."""
    return _client() is not None


def stream(work: Callable[..., Any], items: Iterable[Any], *, shared: dict[str, Any]) -> Iterator[Any]:
    """Call ``work`` with each item on the cluster of the block that this is called in.

    Parameters
    ----------
    work
        A function that other processes can import. It may be called again with an item whose worker was killed.
    items
        Taken only as fast as they are worked on: a few for each thread of the cluster are on their way.
    shared
        Keyword arguments of every call, which are sent to each worker once.

    Yields
    ------
    object
        Results, as they come.
    """
    from distributed import as_completed  # noqa: PLC0415

    client = _client()
    assert client is not None
    sent = {name: client.scatter(value, broadcast=True, hash=False) for name, value in shared.items()}
    items = iter(items)
    running = as_completed(with_results=False)
    try:
        while True:
            ahead = _EACH * max(1, sum(client.nthreads().values()))
            for item in itertools.islice(items, max(0, ahead - running.count())):
                running.add(client.submit(work, item, **sent, pure=False))
            if running.is_empty():
                return
            yield next(running).result()
    finally:
        client.cancel([*running.futures, *sent.values()])


def _client() -> "Client | None":
    distributed = sys.modules.get("distributed")  # who has not connected has not imported it
    if distributed is None:
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None
