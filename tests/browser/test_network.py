"""What a page waits for and shows when a journey breaks: what was answered too late, and its outline."""

from __future__ import annotations

import threading
import time

import pytest
from playwright.sync_api import Browser, Error

from synthprobe import loopback
from synthprobe.browser.network import outline_of, pending_requests, unanswered


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


def test_a_name_with_a_colon_is_as_any_other_and_what_was_typed_beside_it_is_left_out(chromium: Browser):
    page = chromium.new_page()
    page.set_content(
        "<h2>Error: the post's {gate} #4 is shut</h2><label>Name: of the post <input></label><p>Go: home</p>"
    )
    page.get_by_label("Name: of the post").fill("Kestrel-Meadow: 77")
    shown = outline_of(page)
    page.close()
    assert shown[0] == 'heading "Error: the post\'s {gate} #4 is shut" [level=2]'
    assert 'textbox "Name: of the post"' in shown
    assert "Kestrel" not in " ".join(shown)
