// Certificates: ours, those that are trusted, and those that targets have shown.

import { read } from "./api.js";
import { h } from "./dom.js";
import { attempt, say } from "./live.js";
import { badge, button, code } from "./parts.js";
import { date, daysUntil, some } from "./words.js";

let all = { ours: [], trust: [], targets: [] };

export const certificates = {
  id: "certificates",
  every: 60,
  async load() {
    all = await read("certificates");
  },
  hear(event) {
    return Boolean(event.reload);
  },
  view() {
    return [
      group("Ours", "What clients and targets get to see.", all.ours, "There is none: no listener takes TLS."),
      group("Trust list", "What the certificates of phones must lead to, or be.", all.trust, "No certificate of a phone is trusted."),
      group("Targets", "What the services inside have shown.", all.targets, "No target has been reached over TLS yet."),
    ];
  },
};

function group(title, lead, list, empty) {
  return [
    h("h2", {}, title),
    h("p", { class: "lead" }, lead),
    list.length ? h("div", { class: "cards" }, list.map(card)) : h("p", { class: "empty" }, empty),
  ];
}

function card(certificate) {
  return h("article", { class: "card" },
    h("h3", {}, certificate.host ?? certificate.names[0] ?? certificate.subject),
    h("p", {}, validity(certificate), certificate.default && badge("quiet", "default")),
    h("dl", {},
      row("Names", certificate.names.join(", ")),
      row("Subject", certificate.subject),
      row("Issuer", certificate.issuer === certificate.subject ? "itself" : certificate.issuer),
      row("Key", certificate.key),
      row("File", certificate.path)),
    h("div", { class: "fingerprint" }, code(certificate.fingerprint),
      button("Copy", `the fingerprint of ${certificate.subject}`, () => copy(certificate.fingerprint))));
}

function row(title, text) {
  return text ? [h("dt", {}, title), h("dd", {}, text)] : null;
}

function validity(certificate) {
  const [begins, ends] = [certificate["not-before"], certificate["not-after"]];
  const days = daysUntil(ends);
  if (Date.parse(begins) > Date.now()) return badge("bad", `not valid before ${date(begins)}`);
  if (days < 0) return badge("bad", `ended on ${date(ends)}`);
  return badge(days <= 21 ? "warn" : "good", `until ${date(ends)}, ${some(days, "day")}`);
}

function copy(text) {
  return attempt(async () => {
    await navigator.clipboard.writeText(text);
    say("The fingerprint is copied.");
  });
}
