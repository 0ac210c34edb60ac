// Shared by all pages: talk to the API, build rows without ever parsing text as HTML.
async function call(method, path, body) {
  const answer = await fetch(path, { method, headers: { "Content-Type": "application/json" }, body: body ? JSON.stringify(body) : undefined });
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error || `The server answered ${answer.status}.`);
  return data;
}
function row(cells, data = {}) {
  const line = document.createElement("tr");
  for (const cell of cells) { const td = document.createElement("td"); td.append(cell ?? ""); line.append(td); }
  Object.assign(line.dataset, data);
  return line;
}
function link(text, href) { const a = document.createElement("a"); a.textContent = text; a.href = href; return a; }
function item(text) { const li = document.createElement("li"); li.textContent = text; return li; }
const at = (testid) => document.querySelector(`[data-testid="${testid}"]`);
// Buttons come disabled, so that a click before its page's script is there is not lost.
const ready = () => { for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false; };
function warn(hazards) { for (const p of document.querySelectorAll('[data-testid="hazard"]')) { p.hidden = !hazards.length; p.textContent = hazards.length ? `⚠ ${hazards.join(" · ")}` : ""; } }
function listen(onNews) {
  // Live updates say what happened; a unit's carry what it is now. Whatever was missed before hello is fetched.
  let source, opened = 0, heard = 0;
  const kinds = ["incident:new", "incident:update", "incident:close", "incident:note", "responder:status", "responder:assign", "responder:logon", "system:ping"];
  function open() {
    source = new EventSource("/api/stream");
    source.addEventListener("system:hello", () => { opened ||= Date.now(); onNews(null); });
    for (const kind of kinds) source.addEventListener(kind, (event) => { heard = Date.now(); if (kind !== "system:ping") onNews(JSON.parse(event.data)); });
    source.onerror = () => { source.close(); setTimeout(open, 1000); };
  }
  open();
  return () => ({ opened, heard });
}
