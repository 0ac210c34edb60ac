const path = `/api/incidents/${document.getElementById("incident").dataset.number}`;
async function show() {
  const one = await call("GET", path);
  at("status").textContent = one.status;
  warn(one.hazards);
  document.getElementById("facts").replaceChildren(...Object.entries({ Type: one.type, Priority: one.priority, Address: one.address, Caller: one.caller, Description: one.description, Units: one.units.join(", ") || "none", Created: one.created_at })
    .flatMap(([name, value]) => { const dt = document.createElement("dt"), dd = document.createElement("dd"); dt.textContent = name; dd.textContent = value; return [dt, dd]; }));
  at("timeline").replaceChildren(...one.notes.map((note) => item(`${note.at.slice(11, 19)} ${note.author}: ${note.text}`)));
  at("history").replaceChildren(...one.history.map((entry) => item(`${entry.at.slice(11, 19)} ${entry.text}`)));
  const { units } = await call("GET", `/api/recommend?incident=${one.number}`);
  at("recommended").textContent = units.length ? `${units[0].id}, ${units[0].distance_km} km` : "no unit is available";
  return units;
}
show();
listen(show);
document.getElementById("assign").addEventListener("click", async () => { const [unit] = await show(); if (unit) await call("POST", `${path}/assign`, { unit: unit.id }); await show(); });
document.getElementById("add").addEventListener("click", async () => { const note = document.getElementById("note"); await call("POST", `${path}/notes`, { text: note.value }); note.value = ""; await show(); });
document.getElementById("close").addEventListener("click", async () => { await call("POST", `${path}/close`, { disposition: document.getElementById("disposition").value }); await show(); });
document.getElementById("reopen").addEventListener("click", async () => { await call("POST", `${path}/reopen`, {}); await show(); });
ready();
