// Figures, times and reasons in words.

const whole = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

export function count(number) {
  return whole.format(number);
}

/** "1 entry", "2 entries". */
export function some(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** In the two largest units. */
export function duration(seconds) {
  const [days, hours, minutes] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes) return `${minutes} min`;
  return `${Math.floor(seconds)} s`;
}

/** How long ago a time was; the clock of this machine may differ from rpd's, so nothing is in the future. */
export function ago(time, now = Date.now()) {
  return duration(Math.max(0, (now - Date.parse(time)) / 1000));
}

/** The hour today, the day before. */
export function shortTime(time, now = new Date()) {
  const date = new Date(time);
  return date.toDateString() === now.toDateString() ? clock.format(date) : day.format(date);
}

export function longTime(time) {
  return moment.format(new Date(time));
}

export function date(time) {
  return day.format(new Date(time));
}

export function daysUntil(time) {
  return Math.floor((Date.parse(time) - Date.now()) / 86_400_000);
}

export function protocol(word) {
  return { h323: "H.323", sip: "SIP", ldap: "LDAP", http: "HTTP" }[word] ?? word ?? "";
}

/** Why something was refused, for people. */
export function reason(word) {
  return REASONS[word] ?? word ?? "";
}

/** Whether it counts against its source, for people. */
export function counted(word) {
  return COUNTED[word] ?? word ?? "";
}

const REASONS = {
  "malformed": "Not this protocol",
  "too-large": "Larger than allowed",
  "no-name": "Asked for no name",
  "unknown-host": "No host of this name",
  "not-forwarded": "This host does not take this protocol",
  "network-not-allowed": "This host is not for this network",
  "url-not-allowed": "URL not allowed",
  "method-not-allowed": "HTTP method not allowed",
  "misdirected": "TLS was for another host",
  "first-message-timeout": "First message not whole in time",
  "silent": "Said nothing",
  "too-slow": "Stood still inside a message",
  "handshake-timeout": "TLS handshake not done in time",
  "handshake-failed": "TLS handshake failed",
  "target-unreachable": "Target cannot be reached",
  "target-failed": "Target did not answer properly",
  "starttls-injection": "Octets smuggled before TLS",
  "certificate": "Certificate missing or another's",
  "refused": "Refused by the service",
  "source-limit": "Too many connections of one source",
  "host-limit": "Too many connections to this host",
  "proxy-header": "PROXY header missing",
  "blocked": "Shut out meanwhile",
  "stun": "STUN or TURN, not for this port",
};

const COUNTED = {
  "yes": "counted",
  "no": "not counted",
  "allowed": "whitelisted",
  "off": "counting is off",
  "blocked": "blocked already",
};
