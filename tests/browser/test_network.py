"""A request that had no answer when the journey broke had none, though one came while the pictures were taken."""

from __future__ import annotations

import threading
import time

import pytest
from playwright.sync_api import Browser, Error

from synthprobe import loopback
from synthprobe.browser.network import pending_requests, unanswered


@pytest.mark.parametrize(("waited_s", "is_told"), [(5.0, True), (0.0, False)], ids=["long waited for", "just sent"])
def test_what_is_answered_too_late_is_told_as_unanswered(chromium: Browser, waited_s, is_told):
    let_go = threading.Event()

    class Late(loopback.Handler):
        def do_GET(self) -> None:
            let_go.wait(30)
            self.answer(504, b"too late", {"Content-Type": "text/plain"})

    with loopback.served(Late) as url:
        page = chromium.new_page()
        with pytest.raises(Error, match="Timeout"):
            page.goto(f"{url}/board", timeout=200)
        sent = unanswered(page)
        let_go.set()
        found = [(request.url, request.status) for request in pending_requests(page, sent, time.time() + waited_s)]
        page.close()
    assert found == [(f"{url}/board", 0)] * is_told
