// Hosts: what is forwarded where, and whether it can be reached.

import { read } from "./api.js";
import { h } from "./dom.js";
import { live } from "./live.js";
import { Table } from "./table.js";
import { badge, code, time, withNote } from "./parts.js";
import { count, protocol } from "./words.js";

let rows = [];

const table = new Table({
  noun: ["host"],
  key: (host) => host.line,
  text: (host) => [...host.names, ...host.target, host.comment].join(" "),
  empty: "The configuration has no hosts.",
  columns: [
    { title: "Host", cell: names, sort: (host) => host.name },
    { title: "Target", cell: targets, sort: (host) => host.target[0] },
    { title: "Protocols", cell: protocols, className: "wide" },
    { title: "Connections", cell: (host) => count(host.connections), sort: (host) => host.connections, className: "number" },
    { title: "State", cell: state, sort: rank },
  ],
});

export const hosts = {
  id: "hosts",
  every: 2,
  async load() {
    rows = await read("hosts");
  },
  hear(event) {
    return Boolean(event.reload);
  },
  view() {
    return [
      h("div", { class: "tools" }, table.filterField("Name, target or comment"),
        h("span", { class: "of" }, live.status?.config.file)),
      table.view(table.pick(rows)),
    ];
  },
};

function names(host) {
  const [first, ...others] = host.names;
  return [
    withNote(host.comment || (first ?? "without a name"), host.comment && first),
    others.length > 0 && h("small", {}, others.join(", ")),
    host.default.length > 0 && h("small", {}, `default for ${host.default.map(protocol).join(", ")}`),
  ];
}

function targets(host) {
  return host.target.map((target) => h("div", {}, code(target)));
}

function protocols(host) {
  return h("ul", { class: "protocols" }, host.protocols.map((part) => h("li", {},
    h("b", {}, protocol(part.protocol)),
    h("span", {}, ports(part)),
    notes(part).map((note) => h("small", {}, note)))));
}

function ports({ tcp, tls }) {
  return [tcp && `tcp ${tcp}`, tls && `tls ${tls}`].filter(Boolean).join(" · ");
}

function notes(part) {
  return [
    part["check-certificate"] && "checks certificates",
    part.networks?.length > 0 && `for ${part.networks.join(", ")}`,
    part.urls && (part.urls.length === 0 ? "no URL" : `${part.urls.length} URLs`),
  ].filter(Boolean);
}

function state(host) {
  const error = host["last-error"];
  return [
    standing(host),
    error && h("small", {}, error.text, " ", time(error.time)),
  ];
}

function standing(host) {
  if (!host.enabled) return badge("quiet", "switched off");
  if (host.up === null) return badge("quiet", "not tried yet");
  return host.up ? badge("good", "up") : badge("bad", "down");
}

/** What needs somebody comes first. */
function rank(host) {
  if (!host.enabled) return 3;
  return host.up === false ? 0 : host.up ? 1 : 2;
}
