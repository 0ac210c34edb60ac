const unit = document.getElementById("mct").dataset.unit, problem = document.getElementById("problem");
async function show() {
  const one = await call("GET", `/api/units/${unit}`);
  at("mct-status").textContent = one.secondary;
  at("mct-crew").textContent = one.crew.join(", ");
  const incident = one.incident ? await call("GET", `/api/incidents/${one.incident}`) : null;
  at("mct-incident").textContent = incident ? `${incident.number} · ${incident.type} · ${incident.address}` : "No incident";
  warn(incident ? incident.hazards : []);
}
call("POST", `/api/units/${unit}/logon`, {}).then(show);
listen(show);
for (const button of document.querySelectorAll("[data-status]")) button.addEventListener("click", async () => {
  try { const one = await call("POST", `/api/units/${unit}/status`, { status: button.dataset.status }); at("mct-status").textContent = one.secondary; problem.hidden = true; }
  catch (error) { problem.textContent = error.message; problem.hidden = false; }
});
ready();
