// The page: its tabs, what stands above them, and the keyboard.

import { change, useToken } from "./api.js";
import { figure } from "./chart.js";
import { h, show } from "./dom.js";
import { attempt, follow, live, may, readStatus, redraw, say } from "./live.js";
import { badge, question } from "./parts.js";
import { ago, count, some } from "./words.js";
import { blacklist } from "./blacklist.js";
import { certificates } from "./certificates.js";
import { connections } from "./connections.js";
import { hosts } from "./hosts.js";
import { log } from "./log.js";
import { requests } from "./requests.js";

/**
 * Each tab can `load` all that it shows, `hear` an event (true: load anew), `view` itself, and may be refreshed
 * `every` so many seconds while it is seen.
 */
const tabs = [hosts, blacklist, requests, connections, certificates, log];
let current = hosts;
let seconds = 0;
const loaded = new Set();
let loading = false;
let next = null;

const element = (id) => document.getElementById(id);
const handle = (tab) => element(`${tab.id}-tab`);
const panel = (tab) => element(`${tab.id}-panel`);

// What is shown

function draw() {
  show(element("state"), standing());
  show(element("banners"), banners().map(banner));
  show(element("figures"), figures());
  show(element("said"), live.said && h("p", { class: live.said.failed ? "failed" : null }, live.said.text));
  if (loaded.has(current)) show(panel(current), current.view());
}

function standing() {
  const { status } = live;
  if (!status) return [];
  return [
    badge(status.state === "running" ? "good" : "warn", status.state),
    h("span", { title: status.commit }, `version ${status.version}`),
    h("span", {}, `up ${ago(status.started)}`),
    h("span", {}, `${status.you.name} (${status.you.role})`),
    may("admin") && h("button", { onclick: reload }, "Reload configuration"),
  ];
}

/** What somebody has to know before anything else. */
function banners() {
  const { status, connected } = live;
  const lost = !connected && { tone: "bad", title: "No connection to rpd.", text: "What is shown here may be old; it is tried again each second." };
  if (!status) return [lost].filter(Boolean);
  const { config, lists, state } = status;
  return [
    lost,
    state === "draining" && { tone: "warn", title: "rpd is ending.", text: "Nothing new is accepted; what is under way may end." },
    config.error && { tone: "bad", title: "The configuration could not be read anew; the former one is in force.", text: config.error },
    lists.unsaved && { tone: "bad", title: "The lists are in force but not saved.", text: lists.unsaved },
  ].filter(Boolean);
}

function banner({ tone, title, text }) {
  return h("div", { class: `banner ${tone}`, "data-key": title }, h("strong", {}, title), h("pre", {}, text));
}

function figures() {
  const { status, samples } = live;
  const values = (key) => samples.map((sample) => sample[key]);
  const now = (key) => samples.at(-1)?.[key] ?? 0;
  return [
    figure({ title: "Connections", values: values("connections"), now: status?.connections ?? 0, remark: status && `of ${count(status["max-connections"])}`, tone: "calm" }),
    figure({ title: "Requests", values: values("requests"), now: now("requests"), unit: "a second", tone: "calm" }),
    figure({ title: "Refusals", values: values("refusals"), now: now("refusals"), unit: "a second", tone: "alarm" }),
    figure({ title: "Blocked", values: values("blocked"), now: status?.guard.blocked ?? 0, remark: status && `${some(status.guard.tracked, "source")} under suspicion`, tone: "alarm" }),
  ];
}

// Tabs

function open(tab, focus = false) {
  current = tab;
  seconds = 0;
  for (const other of tabs) {
    panel(other).hidden = other !== tab;
    handle(other).setAttribute("aria-selected", String(other === tab));
    handle(other).tabIndex = other === tab ? 0 : -1;
  }
  handle(tab).scrollIntoView({ block: "nearest", inline: "nearest" });
  if (focus) handle(tab).focus();
  history.replaceState(null, "", `#${tab.id}`);
  redraw();
  refresh(tab.load);
}

/** Loads something of the current tab, and shows it. What is asked for meanwhile is done afterwards, once. */
async function refresh(load = current.load) {
  next = load;
  if (loading || !live.connected) return;
  loading = true;
  while (next) {
    const [tab, present] = [current, next];
    next = null;
    await attempt(present);
    loaded.add(tab);
    redraw();
  }
  loading = false;
}

/** Where an arrow, Home or End leads from the current tab. */
function neighbour(key) {
  const at = tabs.indexOf(current);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[key];
  return to === undefined ? null : tabs.at(to % tabs.length);
}

function listenToTabs() {
  for (const tab of tabs) handle(tab).onclick = () => open(tab);
  document.querySelector("[role=tablist]").onkeydown = (event) => {
    const tab = neighbour(event.key);
    if (!tab) return;
    event.preventDefault();
    open(tab, true);
  };
}

/** A slash leads to the filter, Escape empties it. */
function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const filter = panel(current).querySelector(".filter");
    const writing = event.target.matches("input, select, textarea");
    if (event.key === "/" && filter && !writing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      filter.focus();
    } else if (event.key === "Escape" && event.target === filter) {
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
    }
  });
}

// What happens

function hear(event) {
  const stale = tabs.filter((tab) => tab.hear(event));
  if (event.reload || event.lists) attempt(readStatus);
  if (event.counters) tick();
  if (stale.includes(current)) refresh();
  redraw();
}

/** A second has passed. */
function tick() {
  seconds += 1;
  if (!loading && current.every && seconds % current.every === 0) refresh(current.refresh);
  if (seconds % STATUS_EVERY === 0) attempt(readStatus);
}

function begin() {
  refresh();
}

async function reload() {
  await attempt(async () => {
    const { opened, closed, notes } = await change("POST", "reload");
    const changes = [...opened.map((what) => `now listening: ${what}`), ...closed.map((what) => `no longer: ${what}`), ...notes];
    say(["The configuration was read anew.", ...changes].join(" "));
  });
  await attempt(readStatus);
}

async function token() {
  const given = await question((answer) => [
    h("h2", {}, "rpd wants a token"),
    h("form", { onsubmit: (event) => { event.preventDefault(); answer(event.target.elements.token.value.trim()); } },
      h("label", {}, "Token", h("input", { name: "token", type: "password", autocomplete: "current-password", required: true })),
      h("p", { class: "lead" }, "It is one of [[admin.token]] in the configuration, and is kept until this tab is closed."),
      h("div", { class: "buttons" }, h("button", { class: "main-button" }, "Go on"))),
  ]);
  if (given) useToken(given);
}

const STATUS_EVERY = 10;

/** Whoever starts a demo is given a link with a token in it, which no server gets to see. */
function takeToken() {
  const [, token] = /^#token=(\w+)$/.exec(location.hash) ?? [];
  if (token) useToken(token);
}

takeToken();
listenToTabs();
listenToKeys();
open(tabs.find((tab) => `#${tab.id}` === location.hash) ?? hosts);
follow({ view: draw, hear, begin, token });
