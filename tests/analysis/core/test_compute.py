"""Work on this machine's threads: every item once, and what an error does."""

import threading
import time

import pytest

from analysis.core import compute
from analysis.core.errors import UserError


def test_every_item_is_worked_on_once_by_several_threads() -> None:
    done: list[tuple[int, str]] = []

    def work(item: int) -> None:
        time.sleep(0.01)
        done.append((item, threading.current_thread().name))

    compute.run(work, range(40), description="Counting", unit="part", progress=False)
    assert sorted(item for item, _ in done) == list(range(40))


def test_no_items_are_no_work() -> None:
    compute.run(pytest.fail, [], description="", unit="", progress=False)


def test_error_of_one_item_ends_the_work() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 9:
            raise UserError("nine is refused")
        time.sleep(0.01)
        done.append(item)

    with pytest.raises(UserError, match="nine is refused"):
        compute.run(work, range(200), description="", unit="", progress=False)
    assert len(done) < 200
