// Maps of one effect, one for each channel: the pointer on one is shown on all, a slider hides what is small, and a switch
// shows the maps with styling held equal.

import { make, bytes, floats, pointing } from "./common.mjs";

const signed = (value, digits) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

export function render({ model, el }) {
  const { width, height, regions, colours, channels, critical, names } = model.frame;
  const region = bytes(model.frame.region);
  const palette = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  const values = Object.fromEntries(Object.entries(model.frame.maps).map(([kind, byChannel]) =>
    [kind, Object.fromEntries(Object.entries(byChannel).map(([channel, text]) => [channel, floats(text)]))]));
  const limit = Math.max(...Object.values(values.photographed).map((map) => map.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));

  const kinds = Object.fromEntries(["photographed", "held"].filter((kind) => values[kind]).map((kind) => [kind, make("button", {
    type: "button", class: "act", onclick: () => { model.held = kind === "held"; } }, names[kind])]));
  const slider = make("input", { type: "range", min: 0, max: Math.floor(100 * limit) / 100, step: 0.01, id: "least" });
  const least = make("output", { for: "least" });
  slider.addEventListener("input", draw);
  slider.addEventListener("change", () => { model.least = Number(slider.value); });
  const significant = make("button", { type: "button", class: "act", onclick: () => { model.least = critical; } }, "Only significant");
  const everything = make("button", { type: "button", class: "act", onclick: () => { model.least = 0; } }, "All");
  const canvases = Object.fromEntries(channels.map(({ key, name }) => [key, make("canvas", { width, height, role: "img", "aria-label": `Effect on ${name}` })]));
  const pointed = make("p", { class: "pointed", "aria-live": "polite" }, "Point at a map, or choose it with the Tab key and move with the arrow keys: the same place is shown on all of them.");
  el.append(
    make("div", { class: "acts" }, ...Object.values(kinds), make("label", { for: "least" }, "Show |g| above"), slider, least, significant, everything),
    make("div", { class: "maps" }, ...channels.map(({ key, name }) => make("figure", {}, canvases[key], make("figcaption", {}, name)))),
    make("div", { class: "bar", style: `background: linear-gradient(to right, ${colours.filter((_, at) => at % 16 === 0).join(",")})` }),
    make("div", { class: "ends" }, make("small", {}, `−${limit.toFixed(2)}: higher where labelled female`), make("small", {}, "Hedges’ g, male − female"),
      make("small", {}, `higher where labelled male: +${limit.toFixed(2)}`)),
    pointed);

  let at = null; // the pixel that is pointed at

  function draw() {
    const hide = Number(slider.value);
    const shown = values[model.held && values.held ? "held" : "photographed"];
    for (const { key } of channels) {
      const context = canvases[key].getContext("2d");
      const image = context.createImageData(width, height);
      for (let pixel = 0; pixel < width * height; pixel++) {
        const value = shown[key][pixel];
        const place = Math.round((Math.max(-1, Math.min(1, value / limit)) + 1) / 2 * (palette.length - 1));
        image.data.set(Math.abs(value) < hide ? [138, 136, 148, 71] : [...palette[place], 255], 4 * pixel);
      }
      if (at) for (let x = 0; x < width; x++) if (Math.abs(x - at.x) > 2) image.data.set([0, 0, 0, 160], 4 * (at.y * width + x));
      if (at) for (let y = 0; y < height; y++) if (Math.abs(y - at.y) > 2) image.data.set([0, 0, 0, 160], 4 * (y * width + at.x));
      context.putImageData(image, 0, 0);
    }
    least.textContent = hide.toFixed(2);
    if (at) {
      const pixel = at.y * width + at.x;
      pointed.textContent = `${regions[region[pixel]]}: ${channels.map(({ key, name }) => `${name} ${told(shown[key][pixel])}`).join("; ")}.`;
    }
  }

  // As the photos are, with its interval, which holds for all places at once, and its p value; held equal, both are unknown.
  function told(g) {
    if (model.held) return signed(g, 2);
    return `${signed(g, 2)} (${signed(g - critical, 2)} to ${signed(g + critical, 2)}, ${chance(g)})`;
  }

  // How often exchanged labels give as much anywhere in the picture: known for the photos as they are.
  function chance(value) {
    const { bin_left, count } = model.frame.chance;
    const total = count.reduce((sum, each) => sum + each, 0);
    const more = count.reduce((sum, each, bin) => sum + (bin_left[bin] >= Math.abs(value) ? each : 0), 0);
    const p = (more + 1) / (total + 1);
    return p < 0.001 ? "p < 0.001" : `p ≈ ${p.toFixed(p < 0.1 ? 3 : 2)}`;
  }

  for (const canvas of Object.values(canvases)) pointing(canvas, width, height, (place) => { at = place; draw(); });

  function show() {
    slider.value = model.least;
    for (const [kind, button] of Object.entries(kinds)) button.setAttribute("aria-pressed", String((kind === "held") === model.held));
    draw();
  }
  model.on("held", show);
  model.on("least", show);
  show();
}
