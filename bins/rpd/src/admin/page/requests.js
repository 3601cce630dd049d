// Requests: who fails now, and what was refused last, with the reason.

import { read } from "./api.js";
import { put } from "./blacklist.js";
import { h } from "./dom.js";
import { live, may } from "./live.js";
import { Table } from "./table.js";
import { badge, button, code, time, withNote } from "./parts.js";
import { Recent } from "./recent.js";
import { counted, duration, protocol, reason } from "./words.js";

const KEPT = 200;
const recent = new Recent(KEPT);
let top = [];

const table = new Table({
  noun: ["request"],
  key: (request) => request.number,
  text: (request) => [request.source, request.protocol, request.listener, request.name, request.request, request.host, request.outcome, request.reason, request.detail, reason(request.reason)].join(" "),
  empty: "Nothing has been refused yet.",
  columns: [
    { title: "Time", cell: (request) => time(request.time), sort: (request) => request.number },
    { title: "Source", cell: (request) => code(request.source), sort: (request) => request.source, className: "source" },
    { title: "Asked for", cell: asked, sort: (request) => request.name ?? "", className: "wide" },
    { title: "Became", cell: outcome, sort: (request) => request.reason },
    { title: "Guard", cell: guard, sort: (request) => request.counted, className: "number" },
    { title: "", cell: actions, className: "actions" },
  ],
});

export const requests = {
  id: "requests",
  every: 1,
  async load() {
    await Promise.all([recent.load(read(`requests?limit=${KEPT}`)), requests.refresh()]);
  },
  /** Who fails changes with time alone. */
  async refresh() {
    top = await read("requests/top?n=10");
  },
  hear(event) {
    if (event.request) recent.add(event.request);
    return Boolean(event.lost);
  },
  view() {
    return [
      h("h2", {}, "Failing now"),
      h("p", { class: "lead" }, threshold()),
      top.length ? h("ol", { class: "top" }, top.map(suspect)) : h("p", { class: "empty" }, "No suspicious requests within the last minute."),
      h("h2", {}, "Refused last"),
      h("div", { class: "tools" }, table.filterField("Source, name, host or reason"), h("span", { class: "of" }, `the last ${KEPT} at most`)),
      table.view(table.pick(recent.items)),
    ];
  },
};

function threshold() {
  const guard = live.status?.guard;
  if (!guard?.threshold) return "The guard does not count.";
  const then = guard.mode === "observe" ? "would be blocked (the guard only observes)" : `is blocked for ${duration(guard.expiration)}`;
  return `Whoever has more than ${guard.threshold} suspicious requests within a minute ${then}.`;
}

function suspect(source) {
  const words = `${source.count} of ${source.threshold}`;
  return h("li", { "data-key": source.network },
    code(source.network),
    h("meter", { min: 0, max: source.threshold, value: source.count, high: source.threshold * 0.7, optimum: 0, "aria-label": words }),
    h("span", { class: "number" }, words),
    h("span", { class: "why" }, withNote(reason(source.reason), `${protocol(source.protocol)}, last ${duration(source.last)} ago`)),
    buttons(source.network));
}

function asked(request) {
  const name = request.name || "no name";
  const to = request.host && request.host !== request.name ? ` → ${request.host}` : "";
  return [withNote(name + to, request.request), h("small", {}, where(request))];
}

function where({ protocol: word, listener }) {
  return word && word !== listener ? `${protocol(word)} on ${listener}` : listener;
}

function outcome(request) {
  return [badge(request.counted === "yes" ? "bad" : "warn", request.outcome), withNote(reason(request.reason), request.detail)];
}

function guard(request) {
  return withNote(counted(request.counted), request.count);
}

function actions(request) {
  return buttons(address(request.source));
}

function buttons(network) {
  if (!may("operate")) return null;
  return h("div", { class: "buttons" },
    button("Block", network, () => put(network, "block")),
    button("Whitelist", network, () => put(network, "allow")));
}

/** The address of a source, without its port. */
export function address(source) {
  const bracketed = /^\[(.*)\]/.exec(source);
  if (bracketed) return bracketed[1];
  return /^[^:]*:\d+$/.test(source) ? source.split(":")[0] : source;
}
