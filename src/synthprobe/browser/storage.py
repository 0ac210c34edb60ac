"""What pages keep in the browser: cookies, storage, databases and caches, of which secrets are learned."""

from __future__ import annotations

from contextlib import suppress

from playwright.sync_api import BrowserContext, Error

from synthprobe.browser.network import pages_of
from synthprobe.evidence.learning import Learner

_TIMEOUT_MS = 1000
_FRAMES = 5
_KEPT = """async () => {
  const found = [['window.name', window.name], ['history.state', JSON.stringify(history.state) || '']];
  const add = (name, value) => found.push([name, typeof value == 'string' ? value : JSON.stringify(value) || '']);
  const ask = request => new Promise((done, failed) => { request.onsuccess = () => done(request.result);
    request.onerror = request.onblocked = failed });
  const indexed = async () => { for (const {name} of await indexedDB.databases()) {
    const database = await ask(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      const all = database.transaction(store).objectStore(store), keys = await ask(all.getAllKeys(null, 200));
      (await ask(all.getAll(null, 200))).forEach((value, i) => add(String(keys[i]), value)) }
    database.close() } };
  const cached = async () => { for (const name of await caches.keys()) { const cache = await caches.open(name);
    for (const request of (await cache.keys()).slice(0, 50)) { const answer = await cache.match(request);
      if (/json|text/.test(answer.headers.get('content-type')) && answer.url.length < 2000)
        add(new URL(request.url).pathname, (await answer.text()).slice(0, 100000)) } } };
  for (const name of ['localStorage', 'sessionStorage'])
    try { found.push(...Object.entries(window[name])) } catch {}
  await Promise.race([Promise.allSettled([indexed(), cached()]), new Promise(done => setTimeout(done, 500))]);
  return found }"""


def learn_from_storage(context: BrowserContext, learner: Learner) -> None:
    """Learn what the pages of a context keep; while it is traced, that would stand in the trace."""
    with suppress(Error):
        for cookie in context.cookies():
            learner.learn_cookie(cookie.get("name", ""), cookie.get("value", ""))
    for frame in [frame for page in pages_of(context) for frame in page.frames[:_FRAMES]]:
        with suppress(Error):  # it does not answer, or may not store anything
            learner.learn_from_address(frame.url)
            entries = frame.locator("html").evaluate(_KEPT, timeout=_TIMEOUT_MS)
            learner.learn_from_storage((str(name), str(value)) for name, value in entries)
