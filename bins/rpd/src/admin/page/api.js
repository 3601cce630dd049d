// Asking rpd. Where it wants a token, that stays with this tab of the browser and is gone with it.

/** What rpd said no to, in its own words. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Looks something up. */
export async function read(path, { signal } = {}) {
  return answer(await ask("GET", path, { signal }));
}

/** Changes something. */
export async function change(method, path, body = {}) {
  return answer(await ask(method, path, { body: JSON.stringify(body) }));
}

/** Hears what happens, as long as rpd tells it: first that they have begun, then one of each line. */
export async function* events(signal) {
  const response = await ask("GET", "events", { signal });
  if (!response.ok) await answer(response);
  yield { begun: true };
  const lines = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await lines.read();
    if (done) return;
    const whole = (rest + value).split("\n");
    rest = whole.pop();
    for (const line of whole) if (line) yield JSON.parse(line);
  }
}

/** A network or number as one part of a path. */
export function part(text) {
  return encodeURIComponent(text);
}

export function useToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

function ask(method, path, { body, signal }) {
  const headers = { "X-Rpd": "1", "Content-Type": "application/json" };
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  return fetch(`api/v1/${path}`, { method, headers, body, signal, cache: "no-store" });
}

async function answer(response) {
  const value = await response.json().catch(() => ({}));
  if (response.ok) return value;
  throw new Refusal(response.status, value.error ?? `rpd answers ${response.status}`);
}

const TOKEN = "rpd-token";
