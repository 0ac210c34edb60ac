// The policy of a page does not hold in its service worker, nor in the snapshots that the worker answers with. A
// snapshot names outside addresses that the worker answers from the trace, so there only the others are forbidden.
{
  const outside = (url) => { const { protocol, origin } = new URL(url, self.location);
    return /^https?:$/.test(protocol) && origin !== self.location.origin; };
  const ask = self.fetch.bind(self), listen = self.addEventListener.bind(self);
  self.fetch = async (what, options) => outside(what.url ?? what) ? Response.error() : ask(what, options);
  const held = (answer) => {
    if (!/\btext\/html\b/.test(answer.headers.get("Content-Type") ?? "") || !answer.status) return answer;
    const headers = new Headers(answer.headers);
    headers.append("Content-Security-Policy", "frame-src 'self' blob: data:; object-src 'none'; form-action 'none'");
    return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
  };
  self.addEventListener = (kind, heard, ...more) => listen(kind, kind !== "fetch" ? heard : (event) => {
    const respond = event.respondWith.bind(event);
    event.respondWith = (answer) => respond(Promise.resolve(answer).then(held));
    return heard(event);
  }, ...more);
}
