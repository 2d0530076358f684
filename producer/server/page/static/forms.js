// Looks at a form while it is written: what the server finds about it stands beside it, and texts have line numbers.
import { replaceParts } from "./live.js";

const PAUSE_MS = 500;

export function checkForms() {
  for (const form of document.querySelectorAll("form[data-check]")) check(form);
  for (const text of document.querySelectorAll(".form textarea")) number(text);
}

function check(form) {
  let timer = 0;
  let asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const body = new URLSearchParams(new FormData(form));
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body });
      const html = await answer.text();
      if (mine === asked) show(form, html);
    } catch {
      // The form can be sent all the same, and then it is checked.
    }
  };
  const wait = () => { clearTimeout(timer); timer = setTimeout(ask, PAUSE_MS); };
  // What the server would have to look up elsewhere is looked at when it is whole.
  form.addEventListener("input", (event) => { if (!event.target.matches("[data-whole]")) wait(); });
  form.addEventListener("change", wait);
  form.addEventListener("click", (event) => {
    const place = event.target.closest("[data-goto]")?.dataset.goto;
    if (place) goTo(form, place);
  });
  // What nobody has begun to fill in is not wrong yet.
  if (form.matches(":valid")) ask();
}

function show(form, html) {
  replaceParts(html);
  const lines = new Map();
  for (const one of form.querySelectorAll("[data-place]")) {
    const [name, line] = one.dataset.place.split(":");
    lines.set(`${name} ${line}`, one.className);
  }
  for (const gutter of form.querySelectorAll(".gutter")) {
    [...gutter.children].forEach((line, place) => {
      line.className = lines.get(`${gutter.dataset.of.replaceAll("_", " ")} ${place + 1}`) ?? "";
    });
  }
}

/** Puts the cursor where a finding is: NAME:LINE:COLUMN. */
function goTo(form, place) {
  const [name, line, column] = place.split(":");
  const text = form.elements[name.replaceAll(" ", "_")];
  if (!text) return;
  const before = text.value.split("\n").slice(0, Number(line) - 1).join("\n");
  const at = before.length + (Number(line) > 1 ? 1 : 0) + Number(column) - 1;
  text.focus();
  text.setSelectionRange(at, at);
}

function number(text) {
  const gutter = document.createElement("div");
  const frame = document.createElement("div");
  gutter.className = "gutter";
  gutter.dataset.of = text.name;
  gutter.ariaHidden = "true";
  frame.className = "numbered";
  text.replaceWith(frame);
  frame.append(gutter, text);
  const draw = () => {
    const wanted = text.value.split("\n").length;
    while (gutter.childElementCount < wanted) gutter.append(document.createElement("span"));
    while (gutter.childElementCount > wanted) gutter.lastElementChild.remove();
    gutter.scrollTop = text.scrollTop;
  };
  text.addEventListener("input", draw);
  text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
  draw();
}
