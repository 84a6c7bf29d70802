/* Keeps the list of live streams current: what /status.json says, once a second while the page is seen. */
const PERIOD_MS = 1000;
const list = document.querySelector("#streams");
const note = document.querySelector("#note");

function row(stream) {
  const item = document.createElement("tr");
  const link = document.createElement("a");
  link.href = `/${stream.name}`;
  link.textContent = stream.name;
  const raw = document.createElement("a");
  raw.href = `/${stream.name}.flv`;
  raw.textContent = "FLV";
  const viewers = String(stream.viewers + stream.httpViewers);
  const cells = [
    link,
    stream.codecs,
    `${Math.round(stream.bitrateKbps)} kbit/s`,
    viewers,
    age(stream.ageSeconds),
    raw,
  ];
  for (const cell of cells) {
    const data = document.createElement("td");
    data.append(cell);
    item.append(data);
  }
  return item;
}

function age(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function edgeRow(edge) {
  const item = document.createElement("tr");
  const cells = [
    edge.isSelf ? `${edge.id} (this one)` : edge.id,
    edge.state,
    String(edge.viewers),
    `${Math.round(edge.load * 100)} %`,
  ];
  for (const cell of cells) {
    const data = document.createElement("td");
    data.append(cell);
    item.append(data);
  }
  return item;
}

function showCluster({ registryAwaySeconds, edges }) {
  document.querySelector("#edges")?.replaceChildren(...edges.map(edgeRow));
  const registry = document.querySelector("#registry");
  if (registry === null) return;
  registry.textContent =
    registryAwaySeconds === null
      ? ""
      : `The registry does not answer since ${Math.floor(registryAwaySeconds)} s; what runs goes on.`;
}

async function refresh() {
  try {
    const response = await fetch("/status.json", { signal: AbortSignal.timeout(5000) });
    const { streams, cluster } = await response.json();
    list.replaceChildren(...streams.map(row));
    if (cluster) showCluster(cluster);
    note.textContent = streams.length === 0 ? "No stream is live." : "";
  } catch {
    note.textContent = "The edge does not answer.";
  }
}

setInterval(() => {
  if (!document.hidden) refresh();
}, PERIOD_MS);
