// Keeps the parts of a page up to date: the server says that something has changed, and the page is read again.

const UNITS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
const LOST_MS = 5000;
const REST_MS = 1000; // between two readings of a page, however much happens

/** Listens to a stream of the API while the page is looked at: a browser has few connections for all of its tabs. */
export function listen(path, handlers) {
  const notice = document.getElementById("connection");
  let source = null;
  let isOver = false;
  let place = "";
  let lost = 0;

  const close = () => { source?.close(); source = null; };
  const open = () => {
    if (source || isOver) return;
    source = new EventSource(place ? `${path}?after=${place}` : path);
    source.onopen = () => { clearTimeout(lost); lost = 0; notice.hidden = true; };
    source.onerror = () => { lost ||= setTimeout(() => { notice.hidden = false; }, LOST_MS); };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => { place = event.lastEventId; handle(JSON.parse(event.data)); });
    }
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
  return () => { isOver = true; close(); };
}

export function followLists(kinds) {
  listen("/api/v1/stream", {
    changed: (changed) => {
      // A stream that begins does not know what has changed since the page was read.
      if (!changed.length || changed.some((kind) => kinds.includes(kind))) refresh();
    },
  });
}

/** Makes a reading that is under way once at a time: calls that come meanwhile are one more, and so is a `true` of it. */
export function oneAtATime(read) {
  let isReading = false;
  let isWanted = false;
  return async () => {
    isWanted = true;
    if (isReading) return;
    isReading = true;
    try {
      while (isWanted) {
        isWanted = false;
        if (await read()) isWanted = true;
      }
    } catch {
      // The stream tells when the server is away, and comes back by itself; then all is read.
    } finally {
      isReading = false;
    }
  };
}

/** Reads this page again, and replaces the parts that are different. */
export const refresh = oneAtATime(async () => {
  const answer = await fetch(location.href);
  if (answer.redirected && new URL(answer.url).pathname !== location.pathname) location.assign(answer.url);
  if (answer.ok) replaceParts(await answer.text());
  await new Promise((resolve) => { setTimeout(resolve, REST_MS); });
});

/** Puts each part of that HTML in the place of the one with its id; what is focused, opened or typed stays so. */
export function replaceParts(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const shown = document.getElementById(part.id);
    if (!shown || isBusy(shown) || withoutAges(shown) === withoutAges(part)) continue;
    const focused = shown.contains(document.activeElement) ? document.activeElement : null;
    const link = focused?.getAttribute("href");
    for (const open of shown.querySelectorAll("details[open]")) {
      part.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    }
    const scrolled = [...shown.querySelectorAll(".scrolled")].map((one) => one.scrollLeft);
    shown.replaceWith(document.adoptNode(part));
    [...part.querySelectorAll(".scrolled")].forEach((one, place) => { one.scrollLeft = scrolled[place] ?? 0; });
    if (focused?.id) document.getElementById(focused.id)?.focus();
    else if (link) part.querySelector(`[href="${CSS.escape(link)}"]`)?.focus();
  }
}

function isBusy(part) {
  return [...part.querySelectorAll("input:not([type=hidden])")].some((input) => input.value !== input.defaultValue)
    || part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
}

function withoutAges(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.textContent = "";
  for (const open of copy.querySelectorAll("details")) open.removeAttribute("open");
  return copy.outerHTML;
}

/** Ages grow without asking the server. */
export function tickClocks() {
  setInterval(() => {
    for (const time of document.querySelectorAll("time")) {
      const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
      const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? UNITS.at(-1);
      time.textContent = `${Math.floor(seconds / size)}${unit}`;
    }
  }, 1000);
}
