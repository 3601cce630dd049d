// A small chart: one line over the last two minutes.

import { h, svg } from "./dom.js";
import { count } from "./words.js";
import { SAMPLES } from "./live.js";

const [WIDTH, HEIGHT] = [240, 40];

/** A figure, its course, and a remark. */
export function figure({ title, values, now, unit, remark, tone }) {
  const most = Math.max(0, ...values);
  return h("figure", { "data-key": title, class: `figure ${tone}` },
    h("figcaption", {}, title),
    h("p", { class: "now" }, h("strong", {}, count(now)), h("span", {}, unit ?? "")),
    line(values, most, `${title}: ${count(now)} now, at most ${count(most)} within two minutes`),
    h("p", { class: "remark" }, remark ?? `at most ${count(most)}`));
}

function line(values, most, label) {
  const left = WIDTH - ((values.length - 1) * WIDTH) / (SAMPLES - 1);
  const x = (index) => (left + (index * WIDTH) / (SAMPLES - 1)).toFixed(1);
  const y = (value) => (HEIGHT - 2 - (value / (most || 1)) * (HEIGHT - 6)).toFixed(1);
  const points = values.map((value, index) => `${x(index)},${y(value)}`);
  const area = [`${x(0)},${HEIGHT}`, ...points, `${WIDTH},${HEIGHT}`];
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("line", { class: "ground", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }),
    values.length > 1 && svg("polygon", { class: "area", points: area.join(" ") }),
    values.length > 1 && svg("polyline", { class: "line", points: points.join(" ") }));
}
