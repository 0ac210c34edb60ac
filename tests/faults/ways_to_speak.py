"""Ways in which a page sends a message over a WebSocket: JavaScript by name, each run with `code`, which connects and
answers the greeting, and `saved`, which does so with the browser's own `send` where it can be had."""

from __future__ import annotations

WAYS = {
    "document": "eval(code)",
    "frame": "tag('iframe').contentWindow.eval(code)",
    "frame's own document": "tag('iframe').srcdoc = html",
    "frame of data": "tag('iframe').src = 'data:text/html,' + encodeURIComponent(html)",
    "frame of a blob": "tag('iframe').src = blob(html, 'text/html')",
    "frame of a script": "tag('iframe').src = 'javascript:' + encodeURIComponent(code)",
    "frame in a sandbox": "{ const f = tag('iframe'); f.sandbox = 'allow-scripts'; f.srcdoc = html }",
    "frame that is written": "{ const d = tag('iframe').contentDocument; d.open(); d.write(html); d.close() }",
    "object": "{ const o = tag('object'); o.type = 'text/html'; o.data = blob(html, 'text/html') }",
    "send of a frame": "speak(tag('iframe').contentWindow.WebSocket.prototype.send)",
    "popup": "open('').eval(code)",
    "send of a popup": "speak(open('').WebSocket.prototype.send)",
    "popup of a frame": "tag('iframe').contentWindow.open('').eval(code)",
    "popup of a blob": "open(blob(html, 'text/html'))",
    "worker": "new Worker(blob(code))",
    "worker with its own send": "new Worker(blob(saved))",
    "worker whose address is taken back": "{ const u = blob(code); new Worker(u); URL.revokeObjectURL(u) }",
    "worker by its prototype": "new (Worker.prototype.constructor)(blob(saved))",
    "worker of data": "new Worker('data:text/javascript,' + encodeURIComponent(saved))",
    "worker of packed data": "new Worker('data:text/javascript;base64,' + btoa(saved))",
    "worker of a frame": "new (tag('iframe').contentWindow.Worker)(blob(saved))",
    "worker of a frame's blob": "new Worker(tag('iframe').contentWindow.URL.createObjectURL(new Blob([saved])))",
    "worker of a popup": "new (open('').Worker)(blob(saved))",
    "worker of a worker": "new Worker(blob(`new Worker('${blob(saved)}')`))",
    "module": "new Worker(blob(saved), {type: 'module'})",
    "worker from the host": "new Worker(host(saved))",
    "module from the host": "new Worker(host(saved), {type: 'module'})",
    "module that imports from the host": "new Worker(host(imports(host(keeps))), {type: 'module'})",
    "module that imports data": "new Worker(host(imports(data(keeps))), {type: 'module'})",
    "module that imports a blob": "new Worker(host(imports(blob(keeps))), {type: 'module'})",
    "module of a blob that imports data": "new Worker(blob(imports(data(keeps))), {type: 'module'})",
    "module of data that imports a blob": "new Worker(data(imports(blob(keeps))), {type: 'module'})",
    "module whose import imports data": "new Worker(host(imports(host(`import '${data(keeps)}'`))), {type: 'module'})",
    "shared module that imports data": "new SharedWorker(host(imports(data(keeps))), {type: 'module'})",
    "shared worker": "new SharedWorker(blob(saved))",
    "shared worker from the host": "new SharedWorker(host(saved))",
    "shared worker of a frame": "new (tag('iframe').contentWindow.SharedWorker)(blob(saved))",
    "stream": "new WebSocketStream(address).opened.then(o => o.writable.getWriter().write('x'))",
}

RUN = """([ways, base, endings]) => {
  const tag = name => document.body.appendChild(document.createElement(name));
  const blob = (text, type = 'text/javascript') => URL.createObjectURL(new Blob([text], {type}));
  const coded = text => encodeURIComponent(text).replaceAll("'", '%27');
  const host = text => location.origin + '/worker.js?code=' + coded(text);
  const data = text => 'data:text/javascript,' + coded(text);
  const keeps = 'globalThis.kept = WebSocket.prototype.send';
  const failed = {};
  for (const name of Object.keys(ways)) for (const ending of endings) {
    const address = base + '/' + encodeURIComponent(name) + ending;
    const code = `{ const s = new WebSocket("${address}"); s.onmessage = () => { s.onmessage = null; s.send('x') } }`;
    const saved = `{ const send = WebSocket.prototype.send, s = new WebSocket("${address}");
                     s.onmessage = () => { s.onmessage = null; send.call(s, 'x') } }`;
    const imports = url => `import '${url}'; const s = new WebSocket("${address}");
                            s.onmessage = () => { s.onmessage = null; kept.call(s, 'x') }`;
    const html = `<script>${code}</` + 'script>';
    const speak = send => {
      const s = new WebSocket(address); s.onmessage = () => { s.onmessage = null; send.call(s, 'x') } };
    try { eval(ways[name]) } catch (error) { failed[name] = String(error) } }
  return failed }"""
