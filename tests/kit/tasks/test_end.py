"""Background tasks end when they are cancelled, also those that swallow the first cancellation."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from shared.tasks import end


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    cancellations = 0

    async def deaf() -> None:
        nonlocal cancellations
        while cancellations < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancellations += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await end(task, again=0.01)
    assert (task.done(), cancellations) == (True, 3)


async def test_it_is_cancelled_once_while_it_finishes_what_it_has_in_hand() -> None:
    cancellations, finished = 0, asyncio.Event()

    async def careful() -> None:
        nonlocal cancellations
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancellations += 1
            await finished.wait()

    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    ending = asyncio.create_task(end(task))
    for _ in range(5):
        await asyncio.sleep(0)
    finished.set()
    await ending
    assert cancellations == 1


async def test_one_that_had_failed_is_logged_and_the_others_end() -> None:
    async def failing() -> None:
        raise ValueError("no such thing")

    failed, going = asyncio.create_task(failing(), name="reader"), asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    with capture_logs() as lines:
        await end(failed, going)
    assert going.cancelled()
    assert [(line["event"], line["task"]) for line in lines] == [("a background task had ended by itself", "reader")]


async def test_nothing_to_end_is_over_at_once() -> None:
    await end()
