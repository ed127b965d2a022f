"""Chromium for the tests of the pages, and decisions to show in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from advisor import Decision, advise
from reports.advice import write_advice

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Opener = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, or a skip that says how to provide it; where CI is set, a failure."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        reason = f"no browser: none of {', '.join(_NAMES)} is installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Opener]:
    """Open a file in a fresh context; any error of the page or its script fails the test."""
    contexts, problems = [], []

    def opener(path: Path, fragment: str = "", **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.goto(path.as_uri() + fragment)
        return page

    yield opener
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def edge() -> Decision:
    return advise("edge")


@pytest.fixture(scope="session")
def cloud() -> Decision:
    return advise("cloud")


@pytest.fixture
def report(tmp_path: Path) -> Callable[[Decision], Path]:
    """Write the report of a decision and return its path."""

    def write(decision: Decision) -> Path:
        path = tmp_path / "report.html"
        write_advice(decision, path)
        return path

    return write
