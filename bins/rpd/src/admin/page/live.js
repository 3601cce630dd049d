// What is known of rpd, kept up to date by its stream of events, and shown again when it changes.

import { events, read } from "./api.js";

export const live = {
  /** The last answer of GET status; null until there is one. */
  status: null,
  /** Whether the stream is open. */
  connected: false,
  /** One sample a second: { connections, requests, refusals, blocked }. */
  samples: [],
  /** The sentence at the foot of the page, about what was done last. */
  said: null,
};

const roles = ["read", "operate", "admin"];

/** Whether whoever looks at this page may do what needs `role`. */
export function may(role) {
  return roles.indexOf(live.status?.you.role) >= roles.indexOf(role);
}

/** Says what came of something, for as long as it takes to read. */
export function say(text, failed = false) {
  const said = (live.said = { text, failed });
  setTimeout(() => {
    if (live.said === said) live.said = null;
    redraw();
  }, failed ? LONG : SHORT);
  redraw();
}

const [SHORT, LONG] = [10_000, 30_000];

/** Does something that may be refused, and says so then. */
export async function attempt(what) {
  try {
    return await what();
  } catch (error) {
    if (error.status === 401) askAgain();
    else say(error.message, true);
  }
}

let draw = () => {};
let askAgain = () => {};
let drawing = 0;

/** Shows what has changed, once for all changes of a moment. */
export function redraw() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    draw();
  });
}

export async function readStatus() {
  live.status = await read("status");
  redraw();
}

/**
 * Follows rpd for as long as the page is open. rpd ends the stream after a reload, to be told anew who asks; then it is
 * only begun again. `view` draws, `hear` gets every event, `begin` is called whenever the
 * stream has begun, because everything may have changed before; `token` asks a person for one.
 */
export async function follow({ view, hear, begin, token }) {
  draw = view;
  let wanted;
  askAgain = () => (wanted ??= token().finally(() => (wanted = null)));
  for (;;) {
    try {
      await readStatus();
      await listen(hear, begin);
    } catch (error) {
      live.connected = false;
      redraw();
      if (error.status === 401) await askAgain();
    }
    await pause();
  }
}

async function listen(hear, begin) {
  const silence = new AbortController();
  let deadline;
  let before = null;
  const heard = () => {
    clearTimeout(deadline);
    deadline = setTimeout(() => silence.abort(), SILENCE);
  };
  heard();
  try {
    for await (const event of events(silence.signal)) {
      heard();
      if (event.begun) {
        live.connected = true;
        begin();
      }
      if (event.counters) before = sample(event.counters, before);
      hear(event);
    }
  } finally {
    clearTimeout(deadline);
  }
}

/** Totals become what there was in between. */
function sample(counters, before) {
  live.status.connections = counters.connections;
  Object.assign(live.status.guard, { blocked: counters.blocked, tracked: counters.tracked });
  const since = (total) => (before ? Math.max(0, counters.totals[total] - before.totals[total]) : 0);
  live.samples.push({
    connections: counters.connections,
    requests: since("requests"),
    refusals: since("refusals"),
    blocked: counters.blocked,
  });
  if (live.samples.length > SAMPLES) live.samples.shift();
  redraw();
  return counters;
}

function pause() {
  return new Promise((done) => setTimeout(done, PAUSE));
}

/** Two minutes. */
export const SAMPLES = 120;
/** Counters come each second. */
const SILENCE = 10_000;
const PAUSE = 1_000;
