const find = document.getElementById("find");
const search = async () => {
  const query = new URLSearchParams(new FormData(find));
  const { results } = await call("GET", `/api/search?${query}`);
  at("result-count").textContent = `${results.length} found`;
  at("results").tBodies[0].replaceChildren(...results.map((one) => row(Object.values(one).map(String))));
};
find.addEventListener("submit", (event) => { event.preventDefault(); search(); });

// a form that was sent before this script was here comes back as the page's address
const sent = new URLSearchParams(location.search);
if (sent.get("q")) {
  for (const [name, value] of sent) if (name in find.elements) find.elements[name].value = value;
  search();
}
