// What a page does beyond its HTML: it stays up to date, follows a log, and looks at forms as they are written.
import { checkForms } from "./forms.js";
import { followLists, tickClocks } from "./live.js";
import { followRun } from "./log.js";

const kinds = document.body.dataset.live.split(" ").filter(Boolean);
const log = document.getElementById("log");

tickClocks();
checkForms();
if (log) followRun(log);
if (kinds.length) followLists(kinds);
