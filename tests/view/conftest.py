"""The system's Chromium, driven by Playwright, which waits until a page shows what a test asks for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 300  # a guard against a page that never shows it, and no budget
# The page needs no network, and a container has no sandbox of its own for the browser.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """A running browser; the test is skipped where Playwright or a Chromium is missing. Playwright runs an event loop in
    this thread, where other modules' tests run the loops of servers, so it ends with the module."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright (pip install playwright)")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser on this machine (looked for {', '.join(NAMES)})")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=program, args=list(ARGUMENTS), timeout=SECONDS * 1000, chromium_sandbox=False
        )
        yield opened
        opened.close()


@pytest.fixture()
def page(browser) -> Iterator:
    """An empty page of the browser, with a window of its own; expectations about it wait for `SECONDS` at most."""
    from playwright.sync_api import expect

    expect.set_options(timeout=SECONDS * 1000)
    context = browser.new_context()
    context.set_default_timeout(SECONDS * 1000)
    yield context.new_page()
    context.close()
