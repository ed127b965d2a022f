"""Something done now and then, in a thread, while a block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(action: Callable[[], None], seconds: float) -> Iterator[None]:
    """Do `action` every so many seconds; it is not under way any more when the block has ended."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(seconds):
            action()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
