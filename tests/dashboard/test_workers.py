"""Processes that score: the same answers as here, and none of them is missed for long."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

import photos
import pytest
import uvloop

from analysis.core.paths import PROJECT
from analysis.data.photo import PhotoError
from dashboard.scoring import Scorer
from dashboard.workers import NoWorkersError, Workers
from model.faces import NoFaceError
from model.predict import Predictor

PHOTO = photos.encoded(photos.portrait())

pytestmark = pytest.mark.skipif(
    not (PROJECT / "results/model/model.onnx").exists(), reason="no published model: run `meanface publish`"
)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(PROJECT / "results/model", threads=1)


def where(predictor: Predictor) -> int:
    return os.getpid()


def same(predictor: Predictor, photo: bytes) -> bytes:
    return photo


def rest(predictor: Predictor, seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def crash(predictor: Predictor) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def spin(predictor: Predictor) -> None:
    while True:
        pass


def fail(predictor: Predictor) -> None:
    raise KeyError("inner detail")


def with_workers(predictor: Predictor, test: Callable[[Workers], Awaitable[None]], seconds: float = 5.0) -> None:
    async def run() -> None:
        workers = Workers(predictor, 2, seconds)
        workers.start()
        try:
            await asyncio.wait_for(test(workers), 60)
        finally:
            workers.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as in service
        runner.run(run())


def test_long_photos_and_answers_pass_whole(predictor: Predictor) -> None:
    async def test(workers: Workers) -> None:
        for size in (1, 100_000, 1_000_000, 4_000_000):
            photo = os.urandom(size)
            assert await asyncio.gather(*(workers.do(same, photo) for _ in range(3))) == [photo] * 3

    with_workers(predictor, test)


def test_processes_answer_as_the_predictor_does_here(predictor: Predictor) -> None:
    async def run() -> None:
        scorer = Scorer(lambda: predictor, score_processes=2)
        scorer.load()
        here = await scorer.score(PHOTO)
        scorer.start().result()
        until = time.monotonic() + 60
        while scorer._workers is None:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        pid = await scorer._workers.do(where)
        there = await scorer.score(PHOTO)
        ((_, crop),) = await scorer.score_with_crops(photos.encoded(photos.portrait(), "WEBP"))
        with pytest.raises(NoFaceError):
            await scorer.score(photos.encoded(photos.portrait().resize((64, 64)).point(lambda _: 90)))
        scorer.close()
        assert pid != os.getpid()
        assert there == here
        assert crop.pixels.shape == (109, 89, 3)
        assert await scorer.score(PHOTO) == here  # without processes again

    asyncio.run(run())


def test_a_photo_that_breaks_its_process_costs_nobody_else_an_answer(predictor: Predictor) -> None:
    async def test(workers: Workers) -> None:
        answers = await asyncio.gather(
            *(workers.do(crash if number % 4 == 0 else where) for number in range(12)), return_exceptions=True
        )
        broken = [answer for number, answer in enumerate(answers) if number % 4 == 0]
        assert all(isinstance(answer, PhotoError) and "breaks its decoder" in str(answer) for answer in broken)
        assert all(isinstance(answer, int) for number, answer in enumerate(answers) if number % 4)

    with_workers(predictor, test)


def test_what_takes_too_long_is_ended_and_others_go_on(predictor: Predictor) -> None:
    async def test(workers: Workers) -> None:
        await asyncio.gather(workers.do(where), workers.do(where))
        spinning = [asyncio.ensure_future(workers.do(spin)) for _ in range(2)]
        assert await workers.do(where) != os.getpid()  # is sent to one of them, and from there to another
        for each in spinning:
            with pytest.raises(PhotoError, match="takes too long to decode"):
                await each
        with pytest.raises(PhotoError, match="takes too long to decode"):
            await workers.do(rest, 100)  # waits, and spends no time of the processor

    with_workers(predictor, test, seconds=0.5)


def test_a_process_has_its_next_photo_before_it_has_answered(predictor: Predictor) -> None:
    async def test(workers: Workers) -> None:
        await asyncio.gather(workers.do(where), workers.do(where))
        short = [asyncio.ensure_future(workers.do(rest, 0.2)) for _ in range(6)]
        await asyncio.sleep(0.05)
        assert [len(worker.jobs) for worker in workers._all] == [2, 2]
        long = asyncio.ensure_future(workers.do(same, bytes(100_000)))
        await asyncio.gather(*short, long)
        busy = [asyncio.ensure_future(workers.do(same, bytes(4_000_000))) for _ in range(4)]
        await asyncio.sleep(0)
        assert [len(worker.jobs) for worker in workers._all] == [1, 1]  # a long one is sent when it is read at once
        await asyncio.gather(*busy)

    with_workers(predictor, test)


def test_a_process_that_is_killed_while_it_is_idle_is_replaced(predictor: Predictor) -> None:
    async def test(workers: Workers) -> None:
        first = {await workers.do(rest, 0.01) for _ in range(6)}
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        assert await workers.do(where) not in first

    with_workers(predictor, test)


def test_who_gives_up_waiting_holds_up_nobody(predictor: Predictor) -> None:
    async def test(workers: Workers) -> None:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*(workers.do(rest, 0.3) for _ in range(4))), 0.1)
        assert await workers.do(where) != os.getpid()

    with_workers(predictor, test)


def test_a_failure_is_one_and_no_more_work_is_taken_in_the_end(predictor: Predictor) -> None:
    async def test(workers: Workers) -> None:
        with pytest.raises(RuntimeError, match="inner detail"):
            await workers.do(fail)
        waiting = [asyncio.ensure_future(workers.do(rest, 100)) for _ in range(4)]
        await asyncio.sleep(0)
        workers.close()
        for each in waiting:
            with pytest.raises(NoWorkersError):
                await each
        with pytest.raises(NoWorkersError):
            await workers.do(where)

    with_workers(predictor, test)
