// Lines of a search's trials through their settings. A range dragged on an axis selects; ranges of several axes add up.
// See Trials in trials.py.

import { make, draw } from "./common.mjs";

const WIDTH = 1080, HEIGHT = 330, SIDE = 60, TOP = 46, BOTTOM = 26, REACH = 34, SHOWN = 8; // pixels; trials in the table

const short = (value) => Number(value.toPrecision(3)).toString();

export function render({ model, el }) {
  const { axes, trials } = model;
  const across = (axis) => SIDE + axis * (WIDTH - 2 * SIDE) / Math.max(1, axes.length - 1);
  const scaled = ({ logarithmic }, value) => (logarithmic ? Math.log10(value) : value);
  const share = (axis, value) => {
    const [low, high] = [scaled(axis, axis.low), scaled(axis, axis.high)];
    return high > low ? (scaled(axis, value) - low) / (high - low) : 0.5;
  };
  const up = (axis, value) => HEIGHT - BOTTOM - share(axis, value) * (HEIGHT - TOP - BOTTOM);
  const back = (axis, y) => {
    const at = Math.min(1, Math.max(0, (HEIGHT - BOTTOM - y) / (HEIGHT - TOP - BOTTOM)));
    const value = scaled(axis, axis.low) + at * (scaled(axis, axis.high) - scaled(axis, axis.low));
    return axis.logarithmic ? 10 ** value : value;
  };
  let ranges = {};

  function read() {
    ranges = {};
    for (const text of model.brush.split(";")) {
      const [name, ends] = text.split(":"), [low, high] = (ends ?? "").split(",").map(Number);
      if (axes.some((axis) => axis.name === name) && low <= high) ranges[name] = [low, high];
    }
  }

  const write = () => { model.brush = Object.entries(ranges).map(([name, [low, high]]) => `${name}:${short(low)},${short(high)}`).join(";"); };

  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": "Trials of the search" });
  const lines = trials.map(({ trial, values }, rank) => {
    const points = values.map((value, axis) => `${across(axis)},${up(axes[axis], value)}`).join(" ");
    const line = draw("polyline", { points, class: "trial", style: `--rank:${Math.round(100 * (1 - rank / trials.length))}%` });
    line.append(draw("title", {}, `Trial ${trial}`));
    return line;
  });
  svg.append(...lines.slice().reverse());
  const marks = axes.map((axis, at) => {
    const group = draw("g", {});
    const words = axis.title.split(" "), middle = Math.ceil(words.length / 2);
    group.append(draw("line", { x1: across(at), x2: across(at), y1: TOP, y2: HEIGHT - BOTTOM, class: "axis" }),
      ...(axis.title.length > 12 ? [words.slice(0, middle), words.slice(middle)] : [words]).map((part, row) =>
        draw("text", { x: across(at), y: 12 + 14 * row, "text-anchor": "middle", class: "name" }, part.join(" "))),
      draw("text", { x: across(at), y: TOP - 6, "text-anchor": "middle" }, short(axis.high)),
      draw("text", { x: across(at), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, short(axis.low)));
    const range = draw("rect", { x: across(at) - 9, width: 18, class: "range", height: 0 });
    const hit = draw("rect", { x: across(at) - REACH / 2, width: REACH, y: TOP, height: HEIGHT - TOP - BOTTOM, fill: "transparent", class: "hit" });
    group.append(range, hit);
    svg.append(group);
    let start = null;
    const place = (event) => { const box = svg.getBoundingClientRect(); return (event.clientY - box.top) / box.height * HEIGHT; };
    hit.addEventListener("pointerdown", (event) => { event.preventDefault(); hit.setPointerCapture(event.pointerId); start = place(event); });
    hit.addEventListener("pointermove", (event) => {
      if (start === null) return;
      ranges[axis.name] = [back(axis, Math.max(start, place(event))), back(axis, Math.min(start, place(event)))];
      show();
    });
    hit.addEventListener("pointerup", (event) => {
      if (Math.abs(place(event) - start) < 4) delete ranges[axis.name]; // a click takes the range away
      start = null;
      show();
      write();
    });
    return range;
  });

  const said = make("p", { role: "status" });
  const table = make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Selected trials" });
  const best = (count) => make("button", { type: "button", class: "act", onclick: () => {
    ranges = { value: [trials[0].values.at(-1), trials[Math.min(count, trials.length) - 1].values.at(-1)] };
    show();
    write();
  } }, `Best ${count}`);
  el.append(make("div", { class: "acts" }, best(5), best(10),
    make("button", { type: "button", class: "act", onclick: () => { ranges = {}; show(); write(); } }, "All trials")),
  make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Axes of the search" }, svg), said, table);

  function show() {
    const slack = (axis, [low, high]) => [low - 0.005 * Math.abs(low), high + 0.005 * Math.abs(high)];
    const fits = trials.map(({ values }) => axes.every((axis, at) => {
      if (!ranges[axis.name]) return true;
      const [low, high] = slack(axis, ranges[axis.name]);
      return values[at] >= low && values[at] <= high;
    }));
    lines.forEach((line, at) => line.classList.toggle("out", !fits[at]));
    marks.forEach((mark, at) => {
      const ends = ranges[axes[at].name];
      const [top, bottom] = ends ? [up(axes[at], Math.min(ends[1], axes[at].high)), up(axes[at], Math.max(ends[0], axes[at].low))] : [0, 0];
      mark.setAttribute("y", Math.min(top, bottom));
      mark.setAttribute("height", ends ? Math.max(3, Math.abs(bottom - top)) : 0);
    });
    const chosen = trials.filter((_, at) => fits[at]);
    const loss = (list) => list.map(({ values }) => values.at(-1)).sort((a, b) => a - b)[Math.floor(list.length / 2)];
    said.textContent = chosen.length === trials.length
      ? `All ${trials.length} finished trials; the stronger a line’s colour, the lower its log loss. Drag along an axis to select a range, click it to take the range away.`
      : chosen.length ? `${chosen.length} of ${trials.length} finished trials; their median log loss is ${loss(chosen).toFixed(3)}, of all ${loss(trials).toFixed(3)}.`
        : `None of ${trials.length} finished trials is in all of these ranges: click an axis to take its range away.`;
    table.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Trial"),
      ...axes.map((axis) => make("th", { scope: "col", class: "number" }, axis.title)))),
    make("tbody", {}, ...chosen.slice(0, SHOWN).map(({ trial, state, values }) => make("tr", {},
      make("th", { scope: "row" }, `${trial}${state === "pruned" ? ", stopped early" : ""}`),
      ...values.map((value) => make("td", { class: "number" }, short(value))))))));
  }

  model.on("brush", () => { read(); show(); });
  read();
  show();
}
