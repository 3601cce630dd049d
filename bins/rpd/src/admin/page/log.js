// Log: the last lines, and those that come.

import { read } from "./api.js";
import { h } from "./dom.js";
import { redraw } from "./live.js";
import { badge, time } from "./parts.js";
import { Recent } from "./recent.js";
import { matching } from "./table.js";
import { some } from "./words.js";

const KEPT = 500;
const recent = new Recent(KEPT);
let filter = "";

export const log = {
  id: "log",
  async load() {
    await recent.load(read(`log?limit=${KEPT}`).then((lines) => lines.reverse()));
  },
  hear(event) {
    if (event.log) recent.add(event.log);
    return Boolean(event.lost);
  },
  view() {
    const seen = recent.items.filter(matching(filter, (line) => line.text));
    return [
      h("div", { class: "tools" }, field(), h("span", { class: "of" }, some(seen.length, "line"), ", the newest first")),
      seen.length ? h("ol", { class: "lines" }, seen.map(line)) : h("p", { class: "empty" }, filter ? "Nothing matches the filter." : "Nothing has been said yet."),
    ];
  },
};

function field() {
  const oninput = (event) => {
    filter = event.target.value;
    redraw();
  };
  return h("input", { type: "search", class: "filter", placeholder: "Words in the line", "aria-label": "Filter", "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false", oninput });
}

function line({ number, time: when, level, text }) {
  return h("li", { "data-key": String(number) }, time(when), severity(level.toLowerCase()), h("span", {}, text));
}

function severity(level) {
  const tone = { error: "bad", warn: "warn" }[level];
  return tone ? badge(tone, level) : h("span", { class: "quiet" }, level);
}
