// Small pieces that several tabs are made of.

import { h, show } from "./dom.js";
import { longTime, shortTime } from "./words.js";

/** A state in a colour and, beside it, in words. */
export function badge(tone, text, title) {
  return h("span", { class: `badge ${tone}`, title }, text);
}

/** A time; the whole of it where it is pointed at. */
export function time(text) {
  return h("time", { datetime: text, title: longTime(text) }, shortTime(text));
}

/** A name, address or the like, in which figures stand below one another. */
export function code(text) {
  return h("code", {}, text ?? "");
}

/** Something, and below it, smaller, something about it. */
export function withNote(main, note) {
  return [h("span", { class: "main" }, main), note && h("small", {}, note)];
}

/** A button that does something to what `about` names: the name belongs to what a screen reader says. */
export function button(text, about, onclick, more) {
  return h("button", { onclick, "aria-label": about && `${text} ${about}`, ...more }, text);
}

/** Asks a question in front of the page; gives the answer that was chosen, or null. */
export function question(content) {
  const dialog = document.getElementById("question");
  return new Promise((answered) => {
    dialog.onclose = () => answered(dialog.returnValue || null);
    dialog.returnValue = "";
    show(dialog);
    show(dialog, content((answer) => dialog.close(answer ?? "")));
    if (!dialog.open) dialog.showModal();
  });
}
