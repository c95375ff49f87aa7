// A score histogram with two handles, and what follows from where they stand: who is answered what, how often that is
// right, and the points on the ROC and the precision-recall curve. All of it is counted here, from scores sent once.
// "male" is the positive answer.

import { make, draw, percent } from "./common.mjs";

const BINS = 50, WIDTH = 640, HEIGHT = 220, LEFT = 44, RIGHT = 12, TOP = 12, BOTTOM = 42;
const SIDE = 260, PAD = 40; // of the two curves
const LABELS = ["female", "male"];

// How many of a sorted list are below a value, or not above it.
function below(sorted, value, orEqual) {
  let [start, end] = [0, sorted.length];
  while (start < end) {
    const middle = (start + end) >> 1;
    if (sorted[middle] < value || (orEqual && sorted[middle] === value)) start = middle + 1;
    else end = middle;
  }
  return start;
}

// Answers at two thresholds: strictly between them is uncertain.
function answers(scores, low, high) {
  if (low >= high) { // no face is uncertain
    const female = below(scores, high, false);
    return { female, uncertain: 0, male: scores.length - female };
  }
  const female = below(scores, low, true), notMale = below(scores, high, false);
  return { female, uncertain: notMale - female, male: scores.length - notMale };
}

export function counted(byLabel, low, high) {
  const female = answers(byLabel.female, low, high), male = answers(byLabel.male, low, high);
  const [tn, fp, fn, tp] = [female.female, female.male, male.female, male.male];
  const decided = tn + fp + fn + tp, all = byLabel.female.length + byLabel.male.length;
  const share = (part, whole) => (whole ? part / whole : null);
  return {
    female, male, tn, fp, fn, tp, decided, all, right: tn + tp, coverage: share(decided, all),
    accuracy: share(tn + tp, decided), precision: share(tp, tp + fp), recall: share(tp, male.female + male.male),
    precisionFemale: share(tn, tn + fn), recallFemale: share(tn, female.female + female.male),
  };
}

// Wilson's 95 % interval of a share.
function wilson(part, whole) {
  if (!whole) return null;
  const z = 1.959964, share = part / whole, scale = 1 + z * z / whole;
  const middle = (share + z * z / (2 * whole)) / scale;
  const half = z * Math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)) / scale;
  return [middle - half, middle + half];
}

const whole = (number) => number.toLocaleString("en-US");
const interval = (part, of) => {
  const ends = wilson(part, of);
  return ends ? `${percent(ends[0])} to ${percent(ends[1])}` : "–";
};

export function render({ model, el }) {
  const colours = model.colours;
  const sorted = (list) => Float64Array.from(list).sort();
  const sources = Object.entries(model.scores).map(([name, byLabel]) =>
    [name, { female: sorted(byLabel.female), male: sorted(byLabel.male) }]);
  const shown = Object.fromEntries(sources)[model.source];
  let [low, high] = [model.low, model.high];

  // ---- histogram with handles

  const across = (share) => LEFT + share * (WIDTH - LEFT - RIGHT);
  const chart = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "histogram", role: "group",
    "aria-label": "Histogram of scores with the two thresholds" });
  const bins = Object.fromEntries(LABELS.map((label) => {
    const counts = new Array(BINS).fill(0);
    for (const score of shown[label]) counts[Math.min(BINS - 1, Math.floor(score * BINS))] += 1;
    return [label, counts];
  }));
  const most = Math.max(1, ...LABELS.flatMap((label) => bins[label]));
  const up = (count) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.log10(count + 1) / Math.log10(most + 1));
  const floor = up(0);
  const unsure = draw("rect", { y: TOP, height: floor - TOP, fill: colours.uncertain, opacity: 0.28 });
  chart.append(unsure);
  for (let power = 0; 10 ** power <= most; power++) {
    const y = up(10 ** power);
    chart.append(draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid" }),
      draw("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, whole(10 ** power)));
  }
  for (const label of LABELS) {
    let path = `M${across(0)},${floor}`;
    bins[label].forEach((count, bin) => { path += `V${up(count)}H${across((bin + 1) / BINS)}`; });
    chart.append(draw("path", { d: `${path}V${floor}Z`, fill: colours[label], "fill-opacity": 0.5, stroke: colours[label] }));
  }
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    chart.append(draw("text", { x: across(share), y: floor + 18, "text-anchor": "middle" }, share.toString()));
  }
  chart.append(draw("text", { x: across(0.5), y: HEIGHT - 3, "text-anchor": "middle" }, "Predicted probability of male"));

  const handles = {};
  for (const which of ["low", "high"]) {
    const group = draw("g", { class: "handle", tabindex: 0, role: "slider", "aria-valuemin": 0, "aria-valuemax": 1,
      "aria-label": which === "low" ? "Female up to" : "Male from" });
    group.append(draw("line", { y1: TOP, y2: floor }), draw("rect", { x: -7, y: TOP + 2, width: 14, height: 26, rx: 4 }),
      draw("rect", { x: -16, y: TOP, width: 32, height: floor - TOP, fill: "transparent" }));
    group.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      group.focus();
      group.setPointerCapture(event.pointerId);
    });
    group.addEventListener("pointermove", (event) => {
      if (!group.hasPointerCapture(event.pointerId)) return;
      const box = chart.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * WIDTH;
      put(which, (x - LEFT) / (WIDTH - LEFT - RIGHT));
    });
    group.addEventListener("pointerup", keep);
    group.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.005, ArrowDown: -0.005, ArrowRight: 0.005, ArrowUp: 0.005, PageDown: -0.05, PageUp: 0.05 }[event.key];
      const end = { Home: 0, End: 1 }[event.key];
      if (step === undefined && end === undefined) return;
      event.preventDefault();
      put(which, end ?? (which === "low" ? low : high) + step);
      keep();
    });
    handles[which] = group;
    chart.append(group);
  }

  function put(which, value) {
    const rounded = Math.round(1000 * Math.min(1, Math.max(0, value))) / 1000;
    if (which === "low") { low = rounded; high = Math.max(high, low); }
    else { high = rounded; low = Math.min(low, high); }
    show();
  }

  function set(ends) { [low, high] = ends; show(); keep(); }

  // The address holds the thresholds once a handle rests.
  function keep() { if (model.low !== low) model.low = low; if (model.high !== high) model.high = high; }

  model.on("low", () => { if (model.low !== low) { low = model.low; show(); } });
  model.on("high", () => { if (model.high !== high) { high = model.high; show(); } });

  // ---- other ways to set the handles

  const cost = make("input", { type: "range", min: 2, max: 100, step: 1, value: 2, id: "cost" });
  const costs = make("output", { for: "cost" });
  cost.addEventListener("input", () => { const n = Number(cost.value); [low, high] = [1 / n, 1 - 1 / n].map((each) => Math.round(1000 * each) / 1000); show(); });
  cost.addEventListener("change", keep);
  const button = (words, ends) => {
    const made = make("button", { type: "button", class: "act" }, words);
    made.addEventListener("click", () => set(ends));
    return made;
  };
  const ways = make("div", { class: "acts" }, button("As served", model.served), button("Always decide", [0.5, 0.5]),
    make("label", { for: "cost" }, "A mistake costs as much as "), cost, costs);

  // ---- curves

  const thresholds = [...Array(201).keys()].map((step) => 1 / (1 + Math.exp(-(step - 100) / 10))); // dense at both ends
  const rates = (threshold) => {
    const female = shown.female.length - below(shown.female, threshold, false);
    const male = shown.male.length - below(shown.male, threshold, false);
    return { taken: female / (shown.female.length || 1), found: male / (shown.male.length || 1),
      precision: female + male ? male / (female + male) : 1 };
  };
  const space = (share) => PAD + share * (SIDE - PAD - 12), rise = (share) => SIDE - PAD - share * (SIDE - PAD - 12);
  function curve(title, xName, yName, x, y) {
    const svg = draw("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "curve", role: "img", "aria-label": title });
    for (const share of [0, 0.5, 1]) {
      svg.append(draw("line", { x1: space(0), x2: space(1), y1: rise(share), y2: rise(share), class: "grid" }),
        draw("text", { x: PAD - 6, y: rise(share) + 4, "text-anchor": "end" }, share.toString()),
        draw("text", { x: space(share), y: SIDE - PAD + 16, "text-anchor": "middle" }, share.toString()));
    }
    const points = [0, ...thresholds, 1.0000001].map(rates).map((each) => `${space(x(each))},${rise(y(each))}`);
    svg.append(draw("polyline", { points: points.join(" "), class: "line" }),
      draw("text", { x: (space(0) + space(1)) / 2, y: SIDE - 6, "text-anchor": "middle" }, xName),
      draw("text", { x: -rise(0.5), y: 12, "text-anchor": "middle", transform: "rotate(-90)" }, yName));
    const marks = Object.fromEntries(["low", "high"].map((which) =>
      [which, draw("circle", { r: 7, class: which })]));
    svg.append(...Object.values(marks));
    const move = () => {
      for (const [which, mark] of Object.entries(marks)) {
        const at = rates(which === "low" ? low : high);
        mark.setAttribute("cx", space(x(at)));
        mark.setAttribute("cy", rise(y(at)));
      }
    };
    return { figure: make("figure", {}, make("figcaption", {}, title), svg), move };
  }
  const roc = curve("ROC", "female taken for male", "male found", (each) => each.taken, (each) => each.found);
  const pr = curve("Precision and recall of male", "recall", "precision", (each) => each.found, (each) => each.precision);

  // ---- tables

  const key = (name, words) => {
    const mark = make("i", {});
    mark.style.background = colours[name];
    return make("span", {}, mark, words);
  };
  const legend = make("div", { class: "keys" }, key("female", "labelled female"), key("male", "labelled male"), key("uncertain", "answered “uncertain”"));
  const thresholdsLine = make("p", { class: "thresholds" });
  const matrix = make("div", { class: "matrix" });
  const numbers = make("dl", {});
  const slices = make("div", { class: "slices" });

  function cell(name, count, of, kind) {
    return make("td", { class: kind, style: `--share:${of ? Math.round(100 * count / of) : 0}%` },
      make("b", {}, whole(count)), make("small", {}, `${name} · ${percent(of ? count / of : null)}`));
  }

  function show() {
    const at = counted(shown, low, high);
    for (const [which, handle] of Object.entries(handles)) {
      const value = which === "low" ? low : high;
      handle.setAttribute("transform", `translate(${across(value)},0)`);
      handle.setAttribute("aria-valuenow", value);
      handle.setAttribute("aria-valuetext", percent(value));
    }
    unsure.setAttribute("x", across(low));
    unsure.setAttribute("width", across(high) - across(low));
    thresholdsLine.textContent = low < high
      ? `“female” up to a probability of ${percent(low)}, “male” from ${percent(high)}, “uncertain” between.`
      : `“male” from a probability of ${percent(high)}, “female” below: no face is uncertain.`;
    const mistakes = Math.abs(low + high - 1) < 0.002 && low <= 0.5 ? Math.round(1 / Math.max(low, 0.01)) : null;
    if (mistakes) cost.value = mistakes;
    costs.textContent = mistakes ? `${mistakes} uncertain answers` : "– (the handles stand otherwise)";
    const [f, m] = [shown.female.length, shown.male.length];
    matrix.replaceChildren(make("table", {},
      make("caption", {}, "Rows: the annotators’ label. Columns: the answer. Male counts as positive."),
      make("thead", {}, make("tr", {}, make("td", {}), ...["female", "uncertain", "male"].map((each) => make("th", { scope: "col" }, each)))),
      make("tbody", {},
        make("tr", {}, make("th", { scope: "row" }, "female"), cell("TN", at.tn, f, "right"),
          cell("uncertain", at.female.uncertain, f, "open"), cell("FP", at.fp, f, "wrong")),
        make("tr", {}, make("th", { scope: "row" }, "male"), cell("FN", at.fn, m, "wrong"),
          cell("uncertain", at.male.uncertain, m, "open"), cell("TP", at.tp, m, "right")))));
    const fact = (name, value, small) => make("div", {}, make("dt", {}, name), make("dd", {}, value, make("small", {}, small)));
    numbers.replaceChildren(
      fact("Coverage", percent(at.coverage), `${whole(at.decided)} of ${whole(at.all)} are decided`),
      fact("Accuracy of decided", percent(at.accuracy), interval(at.right, at.decided)),
      fact("Precision of male", percent(at.precision), `recall ${percent(at.recall)}`),
      fact("Precision of female", percent(at.precisionFemale), `recall ${percent(at.recallFemale)}`));
    roc.move();
    pr.move();
    const rows = sources.flatMap(([source, byLabel]) => LABELS.map((label) => {
      const got = answers(byLabel[label], low, high);
      const decided = got.female + got.male;
      return make("tr", {}, make("th", { scope: "row" }, `${source}, ${label}`), ...[
        whole(byLabel[label].length), percent(byLabel[label].length ? decided / byLabel[label].length : null),
        percent(decided ? got[label] / decided : null), interval(got[label], decided),
      ].map((each) => make("td", { class: "number" }, each)));
    }));
    slices.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Source and label"),
      ...["Faces", "Decided", "Right of decided", "95 % interval"].map((each) => make("th", { scope: "col", class: "number" }, each)))),
    make("tbody", {}, ...rows)));
  }

  el.append(make("div", { class: "halves" },
    make("div", {}, chart, legend, thresholdsLine, ways), make("div", {}, make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Confusion matrix" }, matrix), numbers)),
  make("div", { class: "halves" },
    make("div", { class: "pair" }, roc.figure, pr.figure),
    make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Every source and label at these thresholds" }, slices)));
  show();
}
