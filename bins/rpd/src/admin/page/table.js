// A table of any length: filtered, sorted, and shown a page at a time.

import { h } from "./dom.js";
import { redraw } from "./live.js";
import { count, some } from "./words.js";

const PAGE = 100;

/**
 * What a person has chosen of a table, and the table itself.
 *
 * A column is { title, cell(row), sort(row), className }; without `sort` it cannot be sorted by. `text(row)` is what the
 * filter looks into, `key(row)` tells rows apart, `noun` is what they are called.
 */
export class Table {
  filter = "";
  page = 0;
  /** Index of a column, and 1 or -1; null: as the rows come. */
  order = null;

  constructor({ columns, key, text, noun, empty }) {
    Object.assign(this, { columns, key, text, noun, empty });
  }

  /** The rows that the filter, and `only`, let through, in order. The same question has the same answer. */
  pick(rows, only = everything) {
    const question = [rows, only, this.filter, this.order];
    if (!question.every((part, index) => part === this.asked?.[index])) {
      this.asked = question;
      this.picked = this.sorted(rows.filter(only).filter(matching(this.filter, this.text)));
    }
    return this.picked;
  }

  sorted(rows) {
    return this.order ? rows.sort(this.comparison()) : rows;
  }

  comparison() {
    const { column, direction } = this.order;
    const sort = this.columns[column].sort;
    return (a, b) => direction * compare(sort(a), sort(b));
  }

  filterField(placeholder) {
    const changed = (event) => {
      this.filter = event.target.value;
      this.page = 0;
      redraw();
    };
    return h("input", {
      type: "search", class: "filter", placeholder, "aria-label": "Filter", "aria-keyshortcuts": "/",
      autocomplete: "off", spellcheck: "false", oninput: changed,
    });
  }

  /** The page of these rows, which `pick` has given, that is looked at. */
  view(rows) {
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const first = this.page * PAGE;
    const seen = rows.slice(first, first + PAGE);
    if (seen.length === 0) return h("p", { class: "empty" }, this.filter ? "Nothing matches the filter." : this.empty);
    return [
      h("table", { role: "table" },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, this.columns.map((column, index) => this.head(column, index)))),
        h("tbody", { role: "rowgroup" }, seen.map((row) => this.row(row)))),
      pages > 1 && this.pager(first, seen.length, rows.length, pages),
    ];
  }

  head(column, index) {
    const chosen = this.order?.column === index && this.order.direction;
    const words = { 1: "ascending", "-1": "descending" }[chosen];
    const title = column.sort
      ? h("button", { class: "sort", onclick: () => this.sortBy(index) }, column.title, h("span", { class: "arrow", "aria-hidden": "true" }, { 1: "▲", "-1": "▼" }[chosen] ?? ""))
      : h("span", {}, column.title);
    return h("th", { scope: "col", role: "columnheader", "aria-sort": words, class: column.className }, title);
  }

  sortBy(column) {
    const direction = this.order?.column === column ? -this.order.direction : 1;
    this.order = { column, direction };
    redraw();
  }

  row(row) {
    return h("tr", { role: "row", "data-key": String(this.key(row)) },
      this.columns.map((column) =>
        h("td", { role: "cell", "data-title": column.title, class: column.className }, column.cell(row))));
  }

  pager(first, seen, all, pages) {
    const turn = (by) => () => {
      this.page += by;
      redraw();
    };
    return h("nav", { class: "pager", "aria-label": "Pages" },
      h("button", { disabled: this.page === 0, onclick: turn(-1) }, "Previous"),
      h("span", {}, `${count(first + 1)}–${count(first + seen)} of ${some(all, ...this.noun)}`),
      h("button", { disabled: this.page === pages - 1, onclick: turn(1) }, "Next"));
  }
}

const everything = () => true;

/** Whether all words of a filter are somewhere in the text of a row. */
export function matching(filter, text) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return everything;
  return (row) => {
    const inside = text(row).toLowerCase();
    return words.every((word) => inside.includes(word));
  };
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return byDigits.compare(a ?? "", b ?? "");
}

/** 9.0.0.1 comes before 10.0.0.1. */
const byDigits = new Intl.Collator("en", { numeric: true });
