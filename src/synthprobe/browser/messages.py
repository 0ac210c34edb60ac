"""Holds what pages send over WebSockets to a read-only target.

The browser's protocol shows such messages but stops none, so each document gets a `send` that keeps to the declared
paths. WebTransport is taken away: pages take it for an older browser.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import BrowserContext

from synthprobe.journey.guard import Guard
from synthprobe.targets.guardrails import message_refusal, sends_messages

_TELL = "__synthprobe_refused"
_HOLD = r"""(([tell, patterns]) => {
  const send = WebSocket.prototype.send, refused = window[tell], told = new Set();
  const literal = text => text.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const allowed = patterns.map(one => new RegExp(`^${literal(one).replaceAll('*', '.*').replaceAll('?', '.')}$`, 's'));
  delete window[tell];
  delete window.WebTransport;
  WebSocket.prototype.send = function (message) {
    const path = new URL(this.url).pathname;
    const plain = !/%(2f|5c|2e|3b|00|25)|;/i.test(path);
    if (plain && allowed.some(pattern => pattern.test(path))) return send.call(this, message);
    if (refused && !told.has(path)) refused(this.url);
    told.add(path);
  };
})"""


def hold_messages(context: BrowserContext, guard: Guard, refused: Callable[[str], None]) -> None:
    """Hold every document that this context opens, unless the running journey may change something."""
    if sends_messages(guard.target, "", guard.mutates):
        return
    context.expose_binding(_TELL, lambda _, url: refused(message_refusal(guard.target, str(url))))
    context.add_init_script(f"{_HOLD}({json.dumps([_TELL, guard.target.websocket_paths])})")
