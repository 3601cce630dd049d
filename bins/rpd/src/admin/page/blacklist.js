// Blacklist: what the guard has shut out, what administrators have blocked or allowed, and changing it.

import { change, part, read } from "./api.js";
import { h } from "./dom.js";
import { attempt, live, may, redraw, say } from "./live.js";
import { Table } from "./table.js";
import { badge, button, code, question, withNote } from "./parts.js";
import { ago, count, duration, protocol, reason, some } from "./words.js";

let entries = [];
/** When they were looked up: what is left of their time runs on since. */
let read_at = 0;
let shown = "all";
const chosen = new Set();

const table = new Table({
  noun: ["entry", "entries"],
  key: (entry) => entry.network,
  text: (entry) => [entry.network, entry.comment, entry.by, entry.reason, entry.protocol, entry.kind, why(entry)].join(" "),
  empty: "Nobody is blocked, and nobody is allowed beyond what the configuration says.",
  columns: [
    { title: "Choose", cell: tick, className: "choose" },
    { title: "Network", cell: (entry) => code(entry.network), sort: (entry) => entry.network },
    { title: "State", cell: state, sort: (entry) => entry.kind },
    { title: "Left", cell: left, sort: (entry) => secondsLeft(entry) ?? Infinity, className: "number" },
    { title: "Refused", cell: refused, sort: (entry) => entry.refused, className: "number" },
    { title: "Why", cell: reasons, sort: why, className: "wide" },
    { title: "", cell: actions, className: "actions" },
  ],
});

export const blacklist = {
  id: "blacklist",
  every: 5,
  async load() {
    entries = (await read("lists")).entries ?? [];
    read_at = performance.now();
    forgetGone();
  },
  hear(event) {
    return Boolean(event.lists || event.reload);
  },
  view() {
    const picked = table.pick(entries, KINDS[shown].only);
    return [
      may("operate") && adding(),
      h("div", { class: "tools" }, table.filterField("Address, comment or reason"), kinds(), choosing(picked)),
      table.view(picked),
    ];
  },
};

/** Blocks or whitelists what the Requests tab shows. */
export function put(network, kind) {
  return attempt(async () => told(await change("POST", "lists", { network, kind, comment: "from the page" })));
}

function forgetGone() {
  const there = new Set(entries.map((entry) => entry.network));
  for (const network of chosen) if (!there.has(network)) chosen.delete(network);
}

// Cells

function tick(entry) {
  if (entry.origin === "config" || !may("operate")) return null;
  const onchange = (event) => {
    if (event.target.checked) chosen.add(entry.network);
    else chosen.delete(entry.network);
    redraw();
  };
  return h("input", { type: "checkbox", checked: chosen.has(entry.network), "aria-label": `Choose ${entry.network}`, onchange });
}

function state(entry) {
  const word = entry.kind === "block" ? badge("bad", "blocked") : badge("good", "allowed");
  return entry.observed ? [word, h("small", {}, "only observed")] : word;
}

function secondsLeft(entry) {
  const left = entry["seconds-left"];
  return left === null ? null : Math.max(0, left - (performance.now() - read_at) / 1000);
}

function left(entry) {
  const seconds = secondsLeft(entry);
  return seconds === null ? "for ever" : duration(seconds);
}

function why(entry) {
  if (entry.origin === "auto") return `${reason(entry.reason)}, ${count(entry.count)} × ${protocol(entry.protocol)}`;
  return entry.origin === "config" ? "Written in the configuration" : `By ${entry.by || "an administrator"}`;
}

function reasons(entry) {
  return withNote(why(entry), entry.comment || (entry.origin === "auto" ? `${ago(entry.created)} ago` : null));
}

function refused(entry) {
  const last = entry["last-refused"];
  return withNote(count(entry.refused), last !== null && `last ${duration(last)} ago`);
}

function actions(entry) {
  if (entry.origin === "config" || !may("operate")) return null;
  const about = entry.network;
  return h("div", { class: "buttons" },
    button(entry.kind === "block" ? "Whitelist" : "Block", about, () => one("POST", `lists/${part(about)}/flip`)),
    button("Extend", about, () => extend([about])),
    button("Remove", about, () => one("DELETE", `lists/${part(about)}`)));
}

// Changes

async function one(method, path, body) {
  await attempt(async () => told(await change(method, path, body)));
}

function told({ before, after, lifted, unsaved }) {
  const network = (after ?? before)?.network;
  const state = after && (after.kind === "block" ? "blocked" : "allowed");
  const until = after && (after["seconds-left"] === null ? "for ever" : `for ${duration(after["seconds-left"])}`);
  const what = after ? `${network} is ${state} ${until}.` : `${network ?? "It"} is no longer listed.`;
  const also = lifted?.length ? ` ${some(lifted.length, "ban")} inside it lifted.` : "";
  say(what + also + (unsaved ? ` In force, but not saved: ${unsaved}` : ""), Boolean(unsaved));
  return blacklist.load().then(redraw);
}

async function extend(networks) {
  const about = networks.length === 1 ? networks[0] : some(networks.length, "entry", "entries");
  const lifetime = await question((answer) => [
    h("h2", {}, `Extend ${about}`),
    h("p", {}, "How long shall it hold from now on?"),
    h("div", { class: "buttons" },
      LIFETIMES.map(([value, words]) => h("button", { onclick: () => answer(value) }, words)),
      h("button", { class: "plain", onclick: () => answer() }, "Cancel")),
  ]);
  if (!lifetime) return;
  if (networks.length === 1) await one("PATCH", `lists/${part(networks[0])}`, { for: lifetime });
  else await many("amend", "extended", { for: lifetime });
}

async function many(action, done, how) {
  await attempt(async () => {
    const result = await change("POST", "lists/bulk", { action, networks: [...chosen], ...how });
    const [failure] = result.failed;
    const failed = failure ? ` ${count(result.failed.length)} not: ${failure.network}: ${failure.error}` : "";
    const unsaved = result.unsaved ? ` In force, but not saved: ${result.unsaved}` : "";
    say(`${some(result.done, "entry", "entries")} ${done}.${failed}${unsaved}`, Boolean(failed || unsaved));
    chosen.clear();
    await blacklist.load();
    redraw();
  });
}

async function add(event) {
  event.preventDefault();
  const form = event.target;
  const { network, kind, lifetime, comment } = form.elements;
  const body = { network: network.value.trim(), kind: kind.value, for: lifetime.value, comment: comment.value.trim() };
  await attempt(async () => {
    await told(await change("POST", "lists", body));
    form.reset();
  });
}

// Above the table

function adding() {
  return h("form", { class: "add", "aria-label": "Add an entry", onsubmit: add },
    h("label", {}, "Network", h("input", { name: "network", required: true, placeholder: "203.0.113.7 or 203.0.113.0/24", autocomplete: "off", spellcheck: "false" })),
    h("label", {}, "Do", h("select", { name: "kind" }, option("block", "Block"), option("allow", "Whitelist"))),
    h("label", {}, "For", h("select", { name: "lifetime" }, [...LIFETIMES].reverse().map(([value, words]) => option(value, words)))),
    h("label", { class: "wide" }, "Comment", h("input", { name: "comment", maxlength: 200, autocomplete: "off" })),
    h("button", { class: "main-button" }, "Add"));
}

function option(value, text) {
  return h("option", { value }, text);
}

function kinds() {
  const choose = (kind) => () => {
    shown = kind;
    table.page = 0;
    redraw();
  };
  return h("div", { class: "switch", role: "group", "aria-label": "Kind of entries" },
    Object.entries(KINDS).map(([kind, { title }]) =>
      h("button", { "aria-pressed": String(shown === kind), onclick: choose(kind) }, title)));
}

function choosing(picked) {
  if (!may("operate")) return h("span", { class: "of" }, some(picked.length, "entry", "entries"));
  const changeable = picked.filter((entry) => entry.origin !== "config");
  const all = () => {
    if (chosen.size) chosen.clear();
    else for (const entry of changeable) chosen.add(entry.network);
    redraw();
  };
  return h("div", { class: "chosen buttons" },
    h("span", { class: "of" }, chosen.size ? `${count(chosen.size)} of ${some(picked.length, "entry", "entries")}` : some(picked.length, "entry", "entries")),
    h("button", { disabled: changeable.length === 0 && chosen.size === 0, onclick: all }, chosen.size ? "Choose none" : "Choose all"),
    h("button", { disabled: chosen.size === 0, onclick: () => many("allow", "whitelisted") }, "Whitelist"),
    h("button", { disabled: chosen.size === 0, onclick: () => extend([...chosen]) }, "Extend"),
    h("button", { disabled: chosen.size === 0, onclick: () => many("remove", "removed") }, "Remove"));
}

const KINDS = {
  all: { title: "All", only: () => true },
  block: { title: "Blocked", only: (entry) => entry.kind === "block" },
  allow: { title: "Allowed", only: (entry) => entry.kind === "allow" },
};

/** As the API takes them. */
const LIFETIMES = [["1h", "1 hour"], ["1d", "1 day"], ["7d", "7 days"], ["30d", "30 days"], ["never", "for ever"]];
