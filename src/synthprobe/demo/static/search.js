document.getElementById("find").addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = new URLSearchParams(new FormData(event.target));
  const { results } = await call("GET", `/api/search?${query}`);
  at("result-count").textContent = `${results.length} found`;
  at("results").tBodies[0].replaceChildren(...results.map((one) => row(Object.values(one).map(String))));
});
