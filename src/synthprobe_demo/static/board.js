const units = () => at("units").tBodies[0];
async function showIncidents() {
  const { incidents } = await call("GET", "/api/incidents");
  at("incidents").tBodies[0].replaceChildren(...incidents.filter((one) => one.priority <= leastUrgent).map((one) =>
    row([String(one.priority), link(one.number, `/incidents/${one.number}`), one.type, one.address, one.status, one.units.join(", ")],
      { incident: one.number, priority: one.priority })));
  at("stat-active").textContent = incidents.length;
  at("stat-pending").textContent = incidents.filter((one) => !one.units.length).length;
}
async function showUnits() {
  const { units: all } = await call("GET", "/api/units");
  units().replaceChildren(...all.map((one) =>
    row([one.id, one.secondary, one.incident || "–", `${one.age_s} s ago`], { unit: one.id, status: one.secondary, fixAge: one.age_s })));
  draw(all);
}
async function showPositions() {
  const { units: all } = await call("GET", "/api/units");
  for (const one of all) {
    const line = units().querySelector(`[data-unit="${CSS.escape(one.id)}"]`);
    if (line) { line.cells[3].textContent = `${one.age_s} s ago`; line.dataset.fixAge = one.age_s; }
  }
  draw(all);
}
function applyState({ id, secondary, incident }) {
  const line = units().querySelector(`[data-unit="${CSS.escape(id)}"]`);
  if (line) { line.cells[1].textContent = secondary; line.cells[2].textContent = incident || "–"; line.dataset.status = secondary; }
}
function draw(all) {
  const make = (name, attributes, text) => { const node = document.createElementNS("http://www.w3.org/2000/svg", name); for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v); if (text) node.textContent = text; return node; };
  const x = (lng) => 10 + (lng + 122.33) / 0.08 * 380, y = (lat) => 290 - (lat - 47.585) / 0.06 * 280;
  const streets = [];
  for (let n = 0; n <= 10; n++) streets.push(make("line", { x1: 0, x2: 400, y1: n * 30, y2: n * 30 }), make("line", { y1: 0, y2: 300, x1: n * 40, x2: n * 40 }));
  at("stat-available").textContent = all.filter((one) => one.primary === "Available").length;
  at("map").replaceChildren(...streets, ...all.map((one) => {
    const group = make("g", { class: "unit", "data-unit": one.id, "data-lat": one.lat, "data-lng": one.lng });
    group.append(make("circle", { cx: x(one.lng), cy: y(one.lat), r: 4, fill: one.primary === "Available" ? "#4cc38a" : "#f5a524" }), make("text", { x: x(one.lng) + 5, y: y(one.lat) + 2 }, one.id));
    return group;
  }));
}
async function showActivity() {
  const { events } = await call("GET", "/api/activity");
  at("activity").replaceChildren(...events.map((one) => item(`${one.at.slice(11, 19)}  ${one.text}`)));
}
const refresh = () => Promise.all([showIncidents(), showUnits(), showActivity()]);
// One after the other, so that an older answer never overwrites newer news.
let queue = refresh();
const after = (next) => { queue = queue.then(next, next); return queue; };
const stream = listen((news) => after(async () => {
  if (!news) return refresh();
  if (news.state) applyState(JSON.parse(news.state));
  await Promise.all([showIncidents(), showActivity()]);
}));
setInterval(() => after(showPositions), 3000);
setInterval(() => {
  at("clock").textContent = new Date().toISOString().slice(11, 19);
  // Whoever begins to listen is told something at once, and something every five seconds: two are missed at most.
  const { opened, heard } = stream(), live = at("live"), last = heard || opened, quiet = Date.now() - last;
  const state = !last ? "connecting" : quiet > 11000 ? "stale" : heard ? "live" : "connected";
  live.textContent = state === "stale" ? `stale: nothing heard for ${Math.round(quiet / 1000)} s` : state;
  if (last) live.dataset.heardAt = new Date(last).toISOString();
  live.className = `live is-${state}`;
}, 500);

const dialog = document.getElementById("intake"), form = document.getElementById("call");
const newToken = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16)).join("");
let token = ""; // one for each opening of the form, so that a button pressed twice is one call
const show = (created) => { form.hidden = created; document.getElementById("created").hidden = !created; };
document.getElementById("new")?.addEventListener("click", () => { form.reset(); token = newToken(); at("geocode").textContent = ""; warn([]); show(false); dialog.showModal(); });
form.elements.address.addEventListener("change", async () => {
  const q = encodeURIComponent(form.elements.address.value);
  const [{ results }, { hazards }] = await Promise.all([call("GET", `/api/geocode?q=${q}`), call("GET", `/api/hazards?addr=${q}`)]);
  at("geocode").textContent = results.length ? `${results[0].town}, ${results[0].lat}, ${results[0].lng}` : "This address is not on the map.";
  warn(hazards);
});
document.getElementById("create").addEventListener("click", async () => {
  if (deadButton) intakeQueue.push(form);
  const given = Object.fromEntries(new FormData(form));
  try {
    const incident = await call("POST", "/api/incidents", { ...given, priority: Number(given.priority), synthetic: "synthetic" in given, client_token: token });
    at("incident-number").textContent = incident.number;
    document.getElementById("open").href = `/incidents/${incident.number}`;
    show(true);
    await after(refresh);
  } catch (error) {
    const problem = document.getElementById("problem");
    problem.textContent = error.message; problem.hidden = false;
  }
});
document.getElementById("done").addEventListener("click", () => dialog.close());
ready();
