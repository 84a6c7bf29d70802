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

async function refresh() {
  try {
    const response = await fetch("/status.json", { signal: AbortSignal.timeout(5000) });
    const { streams } = await response.json();
    list.replaceChildren(...streams.map(row));
    note.textContent = streams.length === 0 ? "No stream is live." : "";
  } catch {
    note.textContent = "The edge does not answer.";
  }
}

setInterval(() => {
  if (!document.hidden) refresh();
}, PERIOD_MS);
