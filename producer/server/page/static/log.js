// A run's log: read part by part, followed while the run goes on, searched without asking the server.
import { listen, oneAtATime, refresh } from "./live.js";

const MOST_LINES = 20000;

export async function followRun(log) {
  const run = log.dataset.run;
  const follow = document.getElementById("follow");
  let position = "0-0";

  const readOn = oneAtATime(async () => {
    const answer = await fetch(`/runs/${run}/log?after=${position}`);
    const html = answer.ok ? await answer.text() : "";
    if (html) append(html);
    return html !== ""; // there may be more of it
  });

  function append(html) {
    const parts = document.createRange().createContextualFragment(html);
    position = parts.lastElementChild.dataset.position;
    if (!log.querySelector(".batch")) log.replaceChildren();
    log.append(parts);
    drop(log);
    search(log);
    if (follow.checked) log.scrollTop = log.scrollHeight;
  }

  log.addEventListener("scroll", () => {
    follow.checked = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  });
  follow.addEventListener("change", () => { if (follow.checked) log.scrollTop = log.scrollHeight; });
  document.getElementById("search").addEventListener("input", () => search(log));

  await readOn();
  const leave = listen(`/api/v1/runs/${run}/stream`, {
    event: () => refresh(),
    log: () => readOn(),
    end: () => { leave(); readOn(); refresh(); },
  });
}

/** Drops the oldest batches of a very long log, and says so. */
function drop(log) {
  let lines = log.getElementsByClassName("line").length;
  while (lines > MOST_LINES && log.querySelectorAll(".batch").length > 1) {
    const first = log.querySelector(".batch");
    lines -= first.childElementCount;
    first.remove();
    if (!log.querySelector(".earlier")) {
      const note = document.createElement("p");
      note.className = "earlier";
      note.textContent = "Earlier lines are in the download.";
      log.prepend(note);
    }
  }
}

/** Shows the lines with what is searched for, and says how many. */
function search(log) {
  const wanted = document.getElementById("search").value.toLowerCase();
  const hits = document.getElementById("hits");
  let found = 0;
  for (const line of log.getElementsByClassName("line")) {
    const isHit = !wanted || line.textContent.toLowerCase().includes(wanted);
    line.hidden = !isHit;
    found += isHit;
  }
  hits.textContent = wanted ? `${found} ${found === 1 ? "line" : "lines"}` : "";
}
