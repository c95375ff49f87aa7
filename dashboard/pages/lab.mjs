// Two average faces: blended with a slider, side by side, and their difference pixel by pixel. The server computes the
// averages (see lab.py); what is done with them is done here.

const percent = (share) => `${Math.round(100 * share)} %`;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);

export function render({ model, el }) {
  const { width, height, regions, colours } = model.frame;
  const region = bytes(model.frame.region);
  const palette = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  let faces = null;

  // ---- the two trays

  const trays = Object.fromEntries(["first", "second"].map((which) => {
    const found = make("input", { type: "search", placeholder: "Find a group, such as hair", "aria-label": `Find the ${which} group` });
    const buttons = model.presets.map((preset) => make("button", {
      type: "button", title: preset.name, onclick: () => { model[which] = preset.filter; show(); },
    }, make("img", { src: preset.src, alt: "", width: 45, height: 55, loading: "lazy" }), make("span", {}, preset.name)));
    found.addEventListener("input", () => {
      const words = found.value.trim().toLowerCase().split(/\s+/);
      buttons.forEach((button, at) => { button.hidden = !words.every((word) => model.presets[at].name.includes(word)); });
    });
    const head = make("h2", {});
    return [which, { head, buttons, element: make("div", { class: "tray" }, head, found, make("div", { class: "groups", role: "group", "aria-label": `${which} group` }, ...buttons)) }];
  }));
  const pairs = make("div", { class: "acts" }, ...model.pairs.map((pair) => make("button", {
    type: "button", class: "act", onclick: () => { model.first = pair.first; model.second = pair.second; show(); },
  }, pair.name)));

  // ---- the picture

  const views = { blend: "Blend", beside: "Side by side", difference: "Difference", effect: "Effect (Hedges’ g)" };
  const choice = Object.fromEntries(Object.entries(views).map(([view, words]) => [view, make("button", {
    type: "button", class: "act", onclick: () => { model.view = view; show(); } }, words)]));
  const canvas = make("canvas", { class: "face", role: "img" });
  const slider = make("input", { type: "range", min: -50, max: 150, step: 1, id: "blend", "aria-label": "Blend" });
  const told = make("output", { for: "blend" });
  slider.addEventListener("input", () => { draw(); });
  slider.addEventListener("change", () => { model.blend = Number(slider.value); });
  const mixing = make("div", { class: "mixing" }, slider,
    make("div", { class: "ends" }, ...["beyond", "second", "half", "first", "beyond"].map((each) => make("small", {}, each))), told);
  const scale = make("div", { class: "legend" });
  const pointed = make("p", { class: "pointed" });
  const acts = make("div", { class: "acts" },
    make("button", { type: "button", class: "act", onclick: savePicture }, "Picture as PNG"),
    make("button", { type: "button", class: "act", onclick: saveTable }, "Pixels as CSV"),
    make("button", { type: "button", class: "act", onclick: copy }, "Copy link"));
  el.append(pairs, make("div", { class: "halves" },
    make("div", { class: "picture" }, make("div", { class: "acts", role: "group", "aria-label": "View" }, ...Object.values(choice)), canvas, mixing, scale, pointed, acts),
    make("div", { class: "trays" }, trays.first.element, trays.second.element)));

  function load() {
    const pair = model.pair;
    faces = pair.first ? {
      first: bytes(pair.first.pixels), second: bytes(pair.second.pixels),
      difference: floats(pair.difference), effect: floats(pair.effect),
    } : null;
    show();
  }

  const name = (filter) => model.presets.find((preset) => preset.filter === filter)?.name ?? (filter || "all faces");

  function show() {
    const waiting = model.pair.first?.filter !== model.first || model.pair.second?.filter !== model.second;
    canvas.classList.toggle("waiting", waiting);
    for (const [which, tray] of Object.entries(trays)) {
      const count = model.pair[which]?.count;
      tray.head.textContent = `${which === "first" ? "First" : "Second"}: ${name(model[which])}${count && !waiting ? `, ${count.toLocaleString("en-US")} faces` : ""}`;
      tray.buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(model.presets[at].filter === model[which])));
    }
    for (const [view, button] of Object.entries(choice)) button.setAttribute("aria-pressed", String(view === model.view));
    mixing.hidden = model.view !== "blend";
    slider.value = model.blend;
    draw();
  }

  const isMap = () => model.view === "difference" || model.view === "effect";

  function draw() {
    if (!faces) { canvas.hidden = true; return; }
    canvas.hidden = false;
    const beside = model.view === "beside";
    const across = beside ? 2 * width + 4 : width;
    canvas.width = across;
    canvas.height = height;
    canvas.classList.toggle("wide", beside);
    const context = canvas.getContext("2d");
    const image = context.createImageData(across, height);
    const put = (x, y, red, green, blue) => { image.data.set([red, green, blue, 255], 4 * (y * across + x)); };
    const share = Number(slider.value) / 100;
    const values = isMap() ? faces[model.view] : null;
    const limit = values ? Math.max(...values.map(Math.abs), model.view === "difference" ? 1 : 0.1) : 1;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = y * width + x;
        if (values) {
          const place = Math.round((values[at] / limit + 1) / 2 * (palette.length - 1));
          put(x, y, ...palette[Math.min(palette.length - 1, Math.max(0, place))]);
        } else if (beside) {
          put(x, y, ...faces.first.subarray(3 * at, 3 * at + 3));
          put(x + width + 4, y, ...faces.second.subarray(3 * at, 3 * at + 3));
        } else {
          const mix = [0, 1, 2].map((channel) => faces.second[3 * at + channel] + share * (faces.first[3 * at + channel] - faces.second[3 * at + channel]));
          put(x, y, ...mix.map((each) => Math.min(255, Math.max(0, Math.round(each)))));
        }
      }
    }
    context.putImageData(image, 0, 0);
    const unit = model.view === "difference" ? "brightness levels of 255" : "standard deviations";
    scale.hidden = !values;
    scale.replaceChildren(make("div", { class: "bar", style: `background: linear-gradient(to right, ${colours.filter((_, at) => at % 16 === 0).join(",")})` }),
      make("div", { class: "ends" }, make("small", {}, `second lighter, −${limit.toFixed(1)}`), make("small", {}, unit), make("small", {}, `first lighter, +${limit.toFixed(1)}`)));
    const of = `${name(model.first)} and ${name(model.second)}`;
    const said = share > 1 || share < 0 ? `${percent(share)}: beyond the ${share > 1 ? "first" : "second"}, an exaggeration` : `${percent(share)} first, ${percent(1 - share)} second`;
    told.textContent = said;
    canvas.setAttribute("aria-label", { blend: `Blend of ${of}: ${said}`, beside: `Averages of ${of}`, difference: `Difference of ${of}`, effect: `Effect between ${of}` }[model.view]);
    if (!values) pointed.textContent = "";
  }

  canvas.addEventListener("pointermove", (event) => {
    if (!faces || !isMap()) return;
    const box = canvas.getBoundingClientRect();
    const x = Math.min(width - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * width)));
    const y = Math.min(height - 1, Math.max(0, Math.floor((event.clientY - box.top) / box.height * height)));
    const at = y * width + x;
    pointed.textContent = `${regions[region[at]]}: ${faces.difference[at] > 0 ? "+" : ""}${faces.difference[at].toFixed(1)} of 255, g = ${faces.effect[at].toFixed(2)}`;
  });

  // ---- to take away

  function save(blob, ending) {
    const link = make("a", { href: URL.createObjectURL(blob), download: `meanface-${model.view}.${ending}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function savePicture() {
    const large = make("canvas", { width: 6 * canvas.width, height: 6 * canvas.height });
    const context = large.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, 0, 0, large.width, large.height);
    large.toBlob((blob) => save(blob, "png"));
  }

  function saveTable() {
    const lines = ["x,y,part,first_r,first_g,first_b,second_r,second_g,second_b,difference,effect"];
    for (let at = 0; at < width * height; at++) {
      lines.push([at % width, Math.floor(at / width), regions[region[at]], ...faces.first.subarray(3 * at, 3 * at + 3),
        ...faces.second.subarray(3 * at, 3 * at + 3), faces.difference[at].toFixed(3), faces.effect[at].toFixed(4)].join(","));
    }
    save(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }), "csv");
  }

  async function copy(event) {
    const button = event.currentTarget;
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch { // no secure connection, or refused: the visitor can copy it by hand
      button.replaceWith(make("input", { value: location.href, readonly: "", "aria-label": "Link to this view" }));
    }
    setTimeout(() => { button.textContent = "Copy link"; }, 2000);
  }

  requestAnimationFrame(() => { // the chosen ones are in sight, without moving the page
    for (const { buttons } of Object.values(trays)) {
      const chosen = buttons.find((button) => button.getAttribute("aria-pressed") === "true");
      if (chosen) chosen.parentElement.scrollTop = chosen.offsetTop - 60;
    }
  });

  model.on("pair", load);
  for (const each of ["first", "second", "view", "blend"]) model.on(each, show);
  load();
}
