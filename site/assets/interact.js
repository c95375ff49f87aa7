// Figures that a browser makes from numbers in the page: two averages and what is between them, and what thresholds do.
// site.js loads this, and the numbers, once such a figure comes into view. Without JavaScript its still is shown.
(() => {
  "use strict";
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const draw = (tag, attributes = {}, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const whole = (number) => number.toLocaleString("en-US");
  const percent = (share) => share === null ? "–" : `${(100 * share).toFixed(1)}\u00a0%`;
  const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // ---- any two averages, their difference and a blend of them
  const pixelsOf = async (known) => {
    const sheet = new Image();
    sheet.src = known.sheet;
    await sheet.decode();
    const canvas = make("canvas", { width: sheet.width, height: sheet.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(sheet, 0, 0);
    const wide = sheet.width / known.columns, tall = Math.ceil(known.height / 16) * 16;
    return (place) => context.getImageData(place % known.columns * wide, Math.floor(place / known.columns) * tall, known.width, known.height).data;
  };
  const pair = async (figure, known) => {
    const face = await pixelsOf(known);
    const { names, counts, labels, width, height } = known;
    const chosen = [...known.chosen];
    const canvases = Object.fromEntries(["first", "second", "difference", "blend"].map((name) => [name, make("canvas", { width, height, role: "img" })]));
    const groups = { "": "Both labels", female: "Labelled female", male: "Labelled male" };
    const choice = (which) => {
      const select = make("select", { "aria-label": which ? "Second group" : "First group" });
      for (const [label, words] of Object.entries(groups)) {
        const options = names.map((name, place) => [name, place]).filter(([, place]) => labels[place] === label)
          .map(([name, place]) => make("option", { value: place }, name));
        if (options.length) select.append(make("optgroup", { label: words }, ...options));
      }
      select.addEventListener("change", () => { chosen[which] = Number(select.value); show(); });
      return select;
    };
    const selects = [choice(0), choice(1)], counted = [make("span"), make("span")];
    const range = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Share of the first in the blend" });
    const said = make("span"), scale = make("span", { class: "scale" }), ends = make("span", { class: "ends" });
    const swap = make("button", { type: "button" }, "Swap first and second");
    range.addEventListener("input", blend);
    swap.addEventListener("click", () => { chosen.reverse(); show(); });
    const cell = (name, ...parts) => make("div", { class: "pair-cell" }, make("strong", {}, name), ...parts);
    figure.querySelector(".live").replaceChildren(
      cell("First", canvases.first, selects[0], counted[0]), cell("Second", canvases.second, selects[1], counted[1]),
      cell("First − second", canvases.difference, scale, ends), cell("Blend", canvases.blend, range, said), swap);

    const put = (canvas, colour) => {
      const context = canvas.getContext("2d"), image = context.createImageData(width, height);
      for (let pixel = 0; pixel < width * height; pixel++) image.data.set([...colour(4 * pixel), 255], 4 * pixel);
      context.putImageData(image, 0, 0);
    };
    let first, second;
    function blend() {
      const share = Number(range.value) / 100;
      put(canvases.blend, (at) => [0, 1, 2].map((channel) => Math.round(share * first[at + channel] + (1 - share) * second[at + channel])));
      said.textContent = `${range.value} % first, ${100 - range.value} % second`;
      canvases.blend.setAttribute("aria-label", `Blend: ${said.textContent}`);
    }
    // Of these two, as Python measured them: five numbers for each pair, of the former in the list minus the latter.
    const measured = ([one, two]) => {
      const [former, latter] = one < two ? [one, two] : [two, one], at = 5 * (latter - former - 1);
      const [place, most, error, mean, errors] = known.apart[former].slice(at, at + 5);
      return { place, most: one < two ? most : -most, error, mean, errors };
    };
    function show() {
      const [one, two] = chosen.map((place) => names[place]);
      [first, second] = chosen.map(face);
      put(canvases.first, (at) => first.subarray(at, at + 3));
      put(canvases.second, (at) => second.subarray(at, at + 3));
      const same = chosen[0] === chosen[1];
      const found = same ? null : measured(chosen);
      const limit = Math.max(1, same ? 0 : Math.abs(found.most));
      const [a, b] = chosen.map((place) => labels[place]);
      const stops = a && b && a !== b ? (a === "male" ? known.colours.labels : [...known.colours.labels].reverse()) : known.colours.others;
      const palette = stops.map(rgb), last = palette.length - 1;
      put(canvases.difference, (at) => {
        const value = known.luma.reduce((sum, weight, channel) => sum + weight * (first[at + channel] - second[at + channel]), 0);
        const place = Math.min(last, Math.max(0, (value / limit + 1) / 2 * last)), low = Math.floor(place), part = place - low;
        return palette[low].map((each, channel) => Math.round(each + part * (palette[Math.min(last, low + 1)][channel] - each)));
      });
      scale.style.background = `linear-gradient(90deg,${stops.join(",")})`;
      ends.replaceChildren(make("small", {}, `second lighter, −${limit.toFixed(1)}`), make("small", {}, `first lighter, +${limit.toFixed(1)}`));
      for (const which of [0, 1]) {
        selects[which].value = chosen[which];
        counted[which].textContent = `n = ${whole(counts[chosen[which]])}`;
      }
      canvases.first.setAttribute("aria-label", `Average face: ${one}`);
      canvases.second.setAttribute("aria-label", `Average face: ${two}`);
      canvases.difference.setAttribute("aria-label", `Difference of ${one} and ${two} in luma`);
      figure.querySelector(".finding").textContent = same || found.most === 0 ? known.same : filled(known.differ, {
        what: `“${one}” and “${two}”`, place: found.place, most: Math.abs(found.most).toFixed(1), way: found.most > 0 ? "lighter" : "darker",
        error: found.error.toFixed(1), mean: found.mean.toFixed(1), errors: found.errors.toFixed(1) });
      const explorer = figure.querySelector(".figure-tools a[href^='../explore/']");
      explorer?.setAttribute("href", `../explore/faces?${new URLSearchParams({ first: known.filters[chosen[0]], second: known.filters[chosen[1]], view: "difference" })}`);
      blend();
    }
    show();
  };

  // ---- what becomes of images at two thresholds: up to the lower "female", from the upper on "male", between "uncertain"
  const HEIGHT = 190, TOP = 8, FLOOR = 168, BINS = 50;
  const narrow = matchMedia("(max-width: 600px)");
  const thresholds = (figure, known) => {
    const { at, served } = known; // scores that a handle may stand at, in order
    const nearest = (value) => at.reduce((best, each, place) => Math.abs(each - value) < Math.abs(at[best] - value) ? place : best, 0);
    let [low, high] = served.map(nearest), source = Object.keys(known.sources)[0];
    const select = make("select", { "aria-label": "Data set" }, ...Object.keys(known.sources).map((name) => make("option", { value: name }, name)));
    const chart = draw("svg", { role: "img", "aria-label": "Histogram of scores by label; the band of uncertain scores is shaded" });
    const slider = (which, words) => {
      const range = make("input", { type: "range", min: 0, max: at.length - 1, step: 1, "aria-label": words });
      range.addEventListener("input", () => {
        const place = Number(range.value);
        if (which) { high = place; low = Math.min(low, high); } else { low = place; high = Math.max(low, high); }
        show();
      });
      return range;
    };
    const ranges = [slider(0, "Female up to"), slider(1, "Male from")], outputs = [make("output"), make("output")];
    const button = (words, ends) => {
      const made = make("button", { type: "button" }, words);
      made.addEventListener("click", () => { [low, high] = ends.map(nearest); show(); });
      return made;
    };
    const matrix = make("div"), facts = make("dl");
    select.addEventListener("change", () => { source = select.value; histogram(); show(); });
    figure.querySelector(".live").replaceChildren(
      make("div", { class: "threshold-ways" }, make("label", {}, "Test photos of ", select), button("As served", served), button("Always decide", [0.5, 0.5])),
      chart,
      make("div", { class: "threshold-range" }, make("label", {}, make("span", {}, "“female” up to ", outputs[0]), ranges[0]), make("label", {}, make("span", {}, "“male” from ", outputs[1]), ranges[1])),
      make("div", { class: "threshold-found" }, matrix, facts));

    let wide;
    const across = (share) => share * wide;
    const band = draw("rect", { class: "band", y: TOP, height: FLOOR - TOP });
    function histogram() {
      wide = narrow.matches ? 350 : 640; // a phone has a layout of its own
      chart.setAttribute("viewBox", `0 0 ${wide} ${HEIGHT}`);
      const bins = {};
      for (const [label, { below, all }] of Object.entries(known.sources[source])) {
        const edges = [...Array(BINS).keys()].map((bin) => below[nearest(bin / BINS)]).concat(all);
        bins[label] = edges.slice(1).map((count, bin) => count - edges[bin]);
      }
      const most = Math.max(1, ...Object.values(bins).flat());
      const up = (count) => FLOOR - (FLOOR - TOP) * Math.log10(count + 1) / Math.log10(most + 1);
      chart.replaceChildren(band);
      for (const [label, counts] of Object.entries(bins)) {
        const path = counts.map((count, bin) => `V${up(count).toFixed(1)}H${across((bin + 1) / BINS)}`).join("");
        chart.append(draw("path", { d: `M0 ${FLOOR}${path}V${FLOOR}Z`, class: `bell is-${label}` }));
      }
      for (let power = 0; 10 ** power <= most; power++) {
        chart.append(draw("line", { x1: 0, x2: wide, y1: up(10 ** power), y2: up(10 ** power) }), draw("text", { x: 4, y: up(10 ** power) - 3 }, whole(10 ** power)));
      }
      for (const share of [0, 0.25, 0.5, 0.75, 1]) {
        chart.append(draw("text", { x: across(share), y: FLOOR + 18, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" }, `${100 * share} %`));
      }
    }
    const answers = ({ below, upto, all }) => low < high
      ? { female: upto[low], male: all - below[high], uncertain: below[high] - upto[low], all }
      : { female: below[high], male: all - below[high], uncertain: 0, all };
    function show() {
      [low, high].forEach((place, which) => {
        ranges[which].value = place;
        ranges[which].setAttribute("aria-valuetext", at[place].toFixed(3));
        outputs[which].textContent = at[place].toFixed(3);
      });
      band.setAttribute("x", across(at[low]));
      band.setAttribute("width", across(at[high]) - across(at[low]));
      const { female, male } = Object.fromEntries(Object.entries(known.sources[source]).map(([label, counts]) => [label, answers(counts)]));
      const field = (name, count, all) => make("td", { style: `--v:${all ? Math.round(100 * count / all) : 0}` },
        make("strong", {}, whole(count)), make("small", {}, (name ? `${name} · ` : "") + percent(all ? count / all : null)));
      const head = (scope, words) => make("th", { scope }, words);
      matrix.replaceChildren(make("table", { class: "table outcomes" },
        make("thead", {}, make("tr", {}, make("td"), ...["Answered female", "Uncertain", "Answered male"].map((words) => head("col", words)))),
        make("tbody", {},
          make("tr", {}, head("row", "Labelled female"), field("TN", female.female, female.all), field("", female.uncertain, female.all), field("FP", female.male, female.all)),
          make("tr", {}, head("row", "Labelled male"), field("FN", male.female, male.all), field("", male.uncertain, male.all), field("TP", male.male, male.all)))));
      const all = female.all + male.all, right = female.female + male.male, decided = right + female.male + male.female;
      const fact = (name, value, more) => make("div", {}, make("dt", {}, name), make("dd", {}, make("strong", {}, value), make("small", {}, more)));
      facts.replaceChildren(fact("Coverage", percent(all ? decided / all : null), `${whole(decided)} of ${whole(all)} are decided`),
        fact("Accuracy of decided", percent(decided ? right / decided : null), `${whole(right)} of ${whole(decided)} are right`));
      figure.querySelector(".finding").textContent = filled(known.finding, { source, low: at[low].toFixed(3), high: at[high].toFixed(3),
        decided: whole(decided), all: whole(all), coverage: percent(all ? decided / all : null), accuracy: percent(decided ? right / decided : null) });
    }
    narrow.addEventListener("change", () => { histogram(); show(); });
    histogram();
    show();
  };

  window.meanfaceInteract = { pair, thresholds };
})();
