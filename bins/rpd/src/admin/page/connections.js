// Connections: who is there, since when, and through what; with a button that closes one.

import { change, part, read } from "./api.js";
import { h } from "./dom.js";
import { attempt, may, redraw, say } from "./live.js";
import { Table } from "./table.js";
import { badge, button, code, time } from "./parts.js";
import { count, protocol } from "./words.js";

const MOST = 1000;
let open = { total: 0, connections: [] };

const table = new Table({
  noun: ["connection"],
  key: (connection) => connection.id,
  text: (connection) => [connection.source, connection.host, connection.target, connection.listener, connection.protocol].join(" "),
  empty: "Nobody is connected.",
  columns: [
    { title: "Source", cell: (connection) => code(connection.source), sort: (connection) => connection.source, className: "source" },
    { title: "Listener", cell: listener, sort: (connection) => connection.listener },
    { title: "Host", cell: host, sort: (connection) => connection.host ?? "", className: "wide" },
    { title: "Since", cell: (connection) => time(connection.since), sort: (connection) => connection.id },
    { title: "State", cell: state, sort: (connection) => Number(connection.proven) },
    { title: "", cell: actions, className: "actions" },
  ],
});

export const connections = {
  id: "connections",
  every: 2,
  async load() {
    open = await read(`connections?limit=${MOST}`);
  },
  hear() {
    return false;
  },
  view() {
    const { total, connections: rows } = open;
    const part = rows.length < total ? `the newest ${count(rows.length)} of ${count(total)}` : `${count(total)} open`;
    return [
      h("div", { class: "tools" }, table.filterField("Source, host or listener"), h("span", { class: "of" }, part)),
      table.view(table.pick(rows)),
    ];
  },
};

function listener(connection) {
  const spoken = connection.protocol && !connection.listener.startsWith(connection.protocol);
  return [connection.listener, spoken && h("small", {}, protocol(connection.protocol))];
}

function host(connection) {
  if (!connection.host) return h("span", { class: "quiet" }, "not known yet");
  return [h("span", { class: "main" }, connection.host), connection.target && h("small", {}, connection.target)];
}

function state(connection) {
  return [
    connection.proven ? badge("good", "proven", "The service took this client for who it says it is") : badge("quiet", "unproven"),
    connection.stale && badge("warn", "left over", "Its host or listener is gone from the configuration"),
  ];
}

function actions(connection) {
  if (!may("operate")) return null;
  return h("div", { class: "buttons" }, button("Close", connection.source, () => close(connection)));
}

function close(connection) {
  return attempt(async () => {
    await change("DELETE", `connections/${part(connection.id)}`);
    say(`The connection of ${connection.source} is closed.`);
    await connections.load();
    redraw();
  });
}
