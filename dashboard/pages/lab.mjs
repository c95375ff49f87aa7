// Two average faces: blended with a slider, side by side, and their difference pixel by pixel. The server computes the
// averages (see lab.py); what is done with them is done here.

import { make, along, bytes, floats, percent, pixels, placed, pointing, warped } from "./common.mjs";

export function render({ model, el }) {
  const { width, height, regions, colours } = model.frame;
  const region = bytes(model.frame.region);
  const palette = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  let faces = null;

  // ---- filters, as far as chips can say them: conditions that are joined by "and"

  const COLUMNS = { dataset: "Data set", label: "Label", age_band: "Age", race: "Race" };
  const choices = model.choices, names = choices.map((each) => each.name);
  const attributes = [...new Set(choices.flatMap((each) => each.attribute))];
  const spoken = (attribute) => attribute.replace("_o_", "_o’").replaceAll("_", " ").toLowerCase();

  // What a filter says; null where chips cannot say it. No data set is the first, which was studied.
  function parsed(filter) {
    const state = { dataset: [], label: [], age_band: [], race: [], with: [], without: [] };
    for (const condition of filter.trim() ? filter.trim().split(" and ") : []) {
      const values = condition.match(/^(dataset|label|age_band|race) (?:== ('[^']*')|in \(((?:'[^']*'(?:, )?)+)\))$/);
      const attribute = condition.match(/^(not )?(\w+)$/);
      if (values && !state[values[1]].length) state[values[1]] = [...(values[2] ?? values[3]).matchAll(/'([^']*)'/g)].map((found) => found[1]);
      else if (attribute && attributes.includes(attribute[2])) state[attribute[1] ? "without" : "with"].push(attribute[2]);
      else return null;
    }
    return state;
  }

  function written(state) {
    const conditions = Object.keys(COLUMNS).filter((column) => state[column].length).map((column) =>
      state[column].length === 1 ? `${column} == '${state[column][0]}'` : `${column} in (${state[column].map((value) => `'${value}'`).join(", ")})`);
    return [...conditions, ...state.with, ...state.without.map((attribute) => `not ${attribute}`)].join(" and ");
  }

  // What can be chosen of a column in the chosen data sets.
  const offered = (state, column) => new Set(choices.filter(({ name }) => (state.dataset.length ? state.dataset : [names[0]]).includes(name)).flatMap((each) => each[column]));

  function chosenChips(which) {
    const state = () => parsed(model[which]) ?? parsed("");
    const take = (change) => {
      const next = state();
      change(next);
      if (next.dataset.length === 1 && next.dataset[0] === names[0]) next.dataset = [];
      for (const column of ["label", "age_band", "race"]) next[column] = next[column].filter((value) => offered(next, column).has(value));
      for (const kind of ["with", "without"]) next[kind] = next[kind].filter((attribute) => offered(next, "attribute").has(attribute));
      model[which] = written(next);
      show();
    };
    const rows = Object.entries(COLUMNS).map(([column, title]) => {
      const values = column === "dataset" ? names : [...new Set(choices.flatMap((each) => each[column]))];
      const buttons = values.map((value) => make("button", { type: "button", class: "chip", onclick: () => take((next) => {
        const now = column === "dataset" && !next.dataset.length ? [names[0]] : next[column];
        const pressed = now.includes(value) ? now.filter((each) => each !== value) : values.filter((each) => each === value || now.includes(each));
        next[column] = pressed;
      }) }, value));
      const row = make("div", { role: "group", "aria-label": `${title} of the ${which} group` }, make("small", {}, title), ...buttons);
      return { column, values, buttons, row };
    }).filter(({ values }) => values.length > 1);
    const more = make("select", { "aria-label": `Attribute of the ${which} group` });
    more.addEventListener("change", () => {
      const [kind, attribute] = more.value.split(" ");
      more.value = "";
      if (attribute) take((next) => { for (const each of ["with", "without"]) next[each] = next[each].filter((one) => one !== attribute); next[kind].push(attribute); });
    });
    const added = make("span", {});
    const last = make("div", { role: "group", "aria-label": `Attributes of the ${which} group` }, make("small", {}, "Attributes"), added, more);
    const element = make("div", { class: "chips" }, ...rows.map(({ row }) => row), attributes.length ? last : null);

    let followed = null;
    function follow() {
      if (followed === model[which]) return; // what has the focus keeps it
      followed = model[which];
      const now = state(), known = offered(now, "attribute");
      for (const { column, values, buttons, row } of rows) {
        const able = column === "dataset" ? new Set(names) : offered(now, column);
        const own = column === "dataset" && !now.dataset.length && parsed(model[which]) ? [names[0]] : now[column];
        buttons.forEach((button, at) => { button.hidden = !able.has(values[at]); button.setAttribute("aria-pressed", String(own.includes(values[at]))); });
        row.hidden = !able.size;
      }
      last.hidden = !known.size;
      const option = (kind, attribute) => make("option", { value: `${kind} ${attribute}` }, kind === "with" ? spoken(attribute) : `not ${spoken(attribute)}`);
      more.replaceChildren(make("option", { value: "" }, "Add an attribute"), ...["with", "without"].map((kind) =>
        make("optgroup", { label: kind === "with" ? "With" : "Without" }, ...attributes.filter((each) => known.has(each)).map((each) => option(kind, each)))));
      added.replaceChildren(...["with", "without"].flatMap((kind) => now[kind].map((attribute) => {
        const words = kind === "with" ? spoken(attribute) : `not ${spoken(attribute)}`;
        return make("button", { type: "button", class: "chip", "aria-pressed": "true", "aria-label": `Leave out: ${words}`, onclick: () => {
          take((next) => { next[kind] = next[kind].filter((each) => each !== attribute); });
          more.focus();
        } }, `${words} ×`);
      })));
    }
    return { element, follow };
  }

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
    const chips = choices.length ? chosenChips(which) : null;
    return [which, { head, buttons, follow: chips?.follow, element: make("div", { class: "tray" }, head, chips?.element, found, make("div", { class: "groups", role: "group", "aria-label": `${which} group` }, ...buttons)) }];
  }));
  const pairs = make("div", { class: "acts" }, ...model.pairs.map((pair) => make("button", {
    type: "button", class: "act", onclick: () => { model.first = pair.first; model.second = pair.second; show(); },
  }, pair.name)));

  // ---- the picture

  const views = { blend: "Blend", beside: "Side by side", difference: "Difference", effect: "Effect (Hedges’ g)",
    ...(model.prototypes.points ? { shape: "Shape and texture", displacement: "Displacement" } : {}), distances: "Distances" };
  const choice = Object.fromEntries(Object.entries(views).map(([view, words]) => [view, make("button", {
    type: "button", class: "act", onclick: () => { model.view = view; show(); } }, words)]));
  const canvas = make("canvas", { class: "face", role: "img" });
  const slider = make("input", { type: "range", min: -50, max: 150, step: 1, id: "blend", "aria-label": "Blend" });
  const told = make("output", { for: "blend" });
  slider.addEventListener("input", () => { draw(); });
  slider.addEventListener("change", () => { model.blend = Number(slider.value); });
  const mixing = make("div", { class: "mixing" }, slider,
    make("div", { class: "ends" }, ...["beyond", "second", "half", "first", "beyond"].map((each) => make("small", {}, each))), told);
  const apart = Object.fromEntries(["shape", "texture"].map((which) => {
    const range = make("input", { type: "range", min: -50, max: 150, step: 1, id: which });
    const said = make("output", { for: which });
    range.addEventListener("input", () => { drawApart(); });
    range.addEventListener("change", () => { model[which] = Number(range.value); });
    return [which, { range, said, element: make("div", {}, make("label", { for: which }, `${which[0].toUpperCase()}${which.slice(1)}`), range,
      make("div", { class: "ends" }, ...["beyond", "women’s", "half", "men’s", "beyond"].map((each) => make("small", {}, each))), said) }];
  }));
  const crossing = make("div", { class: "mixing" }, apart.shape.element, apart.texture.element,
    make("div", { class: "acts" }, ...[["Women", 0, 0], ["Men", 100, 100], ["Men’s shape, women’s texture", 100, 0], ["Women’s shape, men’s texture", 0, 100]].map(([words, shape, texture]) =>
      make("button", { type: "button", class: "act", onclick: () => { model.shape = shape; model.texture = texture; show(); } }, words))));
  const note = make("p", { class: "fine" });
  const bars = make("div", { class: "scroll distances", tabindex: 0, role: "group", "aria-label": "Distances of the face" });
  const scale = make("div", { class: "legend" });
  const problem = make("p", { class: "problem", role: "status" });
  const pointed = make("p", { class: "pointed", "aria-live": "polite" });
  const asPicture = make("button", { type: "button", class: "act", onclick: savePicture }, "Picture as PNG");
  const asTable = make("button", { type: "button", class: "act", onclick: saveTable }, "Pixels as CSV");
  const acts = make("div", { class: "acts" }, asPicture, asTable,
    make("button", { type: "button", class: "act", onclick: copy }, "Copy link"));
  el.append(pairs, make("div", { class: "halves" },
    make("div", { class: "picture" }, make("div", { class: "acts", role: "group", "aria-label": "View" }, ...Object.values(choice)), problem, canvas, mixing, crossing, bars, scale, note, pointed, acts),
    make("div", { class: "trays" }, trays.first.element, trays.second.element)));

  function load() {
    const pair = model.pair;
    faces = pair.first?.pixels ? {
      first: bytes(pair.first.pixels), second: bytes(pair.second.pixels),
      difference: floats(pair.difference), effect: floats(pair.effect), distances: pair.distances,
    } : null;
    show();
  }

  function name(filter) {
    const preset = model.presets.find((each) => each.filter === filter)?.name, state = parsed(filter);
    if (preset || !filter || !state) return preset ?? (filter || "all faces");
    const either = (values) => values.join(" or ");
    const of = [either(state.label), either(state.age_band), either(state.race), ...state.with.map(spoken), ...state.without.map((each) => `not ${spoken(each)}`)];
    return `${state.dataset.length ? `${state.dataset.join(" and ")}: ` : ""}${of.filter(Boolean).join(", ") || "all faces"}`;
  }

  function show() {
    const waiting = model.pair.first?.filter !== model.first || model.pair.second?.filter !== model.second;
    canvas.classList.toggle("waiting", waiting);
    for (const [which, tray] of Object.entries(trays)) {
      const count = model.pair[which]?.count;
      tray.head.textContent = `${which === "first" ? "First" : "Second"}: ${name(model[which])}${count && !waiting ? `, ${count.toLocaleString("en-US")} faces` : ""}`;
      tray.buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(model.presets[at].filter === model[which])));
      tray.follow?.();
    }
    for (const [view, button] of Object.entries(choice)) button.setAttribute("aria-pressed", String(view === model.view));
    const refused = model.problem && !waiting && !["shape", "displacement"].includes(model.view);
    problem.textContent = refused ? `${model.problem[0].toUpperCase()}${model.problem.slice(1)}.` : "";
    mixing.hidden = refused || model.view !== "blend";
    crossing.hidden = model.view !== "shape";
    bars.hidden = refused || model.view !== "distances";
    acts.hidden = refused;
    if (refused) scale.hidden = true;
    asPicture.hidden = model.view === "distances";
    asTable.hidden = model.view === "shape" || model.view === "displacement";
    asTable.textContent = model.view === "distances" ? "Distances as CSV" : "Pixels as CSV";
    apart.shape.range.value = model.shape;
    apart.texture.range.value = model.texture;
    slider.value = model.blend;
    draw();
  }

  const isMap = () => model.view === "difference" || model.view === "effect";

  // ---- shape and texture, which are known of women and men as a whole

  const known = model.prototypes;
  let textures = null, mesh = null;

  async function loadPrototypes() {
    textures = (await Promise.all(known.textures.map(pixels))).map(({ data }) => data);
    const points = known.points.map((text) => placed(floats(text), known.scale));
    mesh = { points, mean: along(points[0], points[1], 0.5), triangles: new Uint16Array(bytes(known.triangles).buffer) };
    drawApart();
  }

  const between = (share) => along(mesh.points[0], mesh.points[1], share);
  const together = (shape, texture) =>
    warped(along(textures[0], textures[1], texture), known.width, known.height, mesh.mean, between(shape), mesh.triangles);

  const part = (share) => (share < 0 ? `${percent(share, 0)}: beyond the women’s` : share > 1 ? `${percent(share, 0)}: beyond the men’s` : `${percent(share, 0)} men’s, ${percent(1 - share, 0)} women’s`);
  const MAGNIFIED = 3;

  function drawApart() {
    if (!known.points || !["shape", "displacement"].includes(model.view)) return;
    if (!textures) { if (textures === null) { textures = undefined; loadPrototypes(); } return; }
    const context = canvas.getContext("2d");
    const shares = Object.fromEntries(["shape", "texture"].map((which) => [which, Number(apart[which].range.value) / 100]));
    const crossed = model.view === "shape";
    const large = crossed ? 1 : 2;
    canvas.width = large * known.width;
    canvas.height = large * known.height;
    const image = crossed ? together(shares.shape, shares.texture) : together(0, 0);
    if (crossed) {
      context.putImageData(image, 0, 0);
      for (const which of ["shape", "texture"]) apart[which].said.textContent = part(shares[which]);
      canvas.setAttribute("aria-label", `Average face; shape ${part(shares.shape)}; texture ${part(shares.texture)}`);
      return;
    }
    const small = make("canvas", { width: known.width, height: known.height });
    small.getContext("2d").putImageData(image, 0, 0);
    context.filter = "grayscale(1)";
    context.globalAlpha = 0.55;
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    context.filter = "none";
    context.globalAlpha = 1;
    const [women, men] = [between(0), between(MAGNIFIED)].map((shape) => shape.map((at) => (at + 0.5) * large));
    context.strokeStyle = "#1c1b22";
    context.lineWidth = 1.2;
    for (let at = 0; at < women.length; at += 2) {
      context.beginPath();
      context.moveTo(women[at], women[at + 1]);
      context.lineTo(men[at], men[at + 1]);
      context.stroke();
    }
    for (const [shape, colour] of [[women, known.colours.female], [men, known.colours.male]]) {
      context.strokeStyle = colour;
      context.lineWidth = 3;
      for (const outline of known.outlines) {
        context.beginPath();
        outline.forEach((point, step) => context[step ? "lineTo" : "moveTo"](shape[2 * point], shape[2 * point + 1]));
        context.closePath();
        context.stroke();
      }
    }
    canvas.setAttribute("aria-label", "Outlines of the average woman and, three times as far away, of the average man");
  }

  function drawDistances() {
    const rows = faces.distances;
    const most = Math.max(0.2, ...rows.map((row) => Math.max(Math.abs(row.low), Math.abs(row.high))));
    const place = (value) => `${(50 + 50 * value / most).toFixed(2)}%`;
    bars.replaceChildren(rows.length ? make("table", {}, make("thead", {}, make("tr", {},
      make("th", { scope: "col" }, "Distance"), make("th", { scope: "col", class: "number" }, "g"),
      make("th", { scope: "col" }, make("span", { class: "ends" }, make("small", {}, `second larger, −${most.toFixed(1)}`), make("small", {}, `first larger, +${most.toFixed(1)}`))))),
    make("tbody", {}, ...rows.map((row) => {
      const bar = make("span", { class: "interval" });
      bar.style.setProperty("--low", place(row.low));
      bar.style.setProperty("--high", place(row.high));
      bar.style.setProperty("--at", place(row.g));
      return make("tr", { title: `95 % interval ${row.low.toFixed(2)} to ${row.high.toFixed(2)}` },
        make("th", { scope: "row" }, row.name), make("td", { class: "number" }, row.g.toFixed(2).replace("-", "−")), make("td", {}, bar));
    }))) : make("p", {}, "The distances of these faces are not known: the run has no landmarks of them, or the filter asks for what its rows do not hold."));
  }

  const NOTES = {
    shape: () => `Shape and texture are published of all ${known.counts[1].toLocaleString("en-US")} men and ${known.counts[0].toLocaleString("en-US")} women, whatever is chosen beside: ` +
      "each face was warped to one shape before averaging. Move one slider alone to see what shape or what texture does.",
    displacement: () => `From the average shape of women to that of men, of all faces whatever is chosen beside, drawn ${MAGNIFIED} times as long as it is.`,
    distances: () => "Hedges’ g of each distance, in units of the distance between the pupils, with 95 % intervals that count each image by itself. Any two groups can be chosen.",
  };

  function draw() {
    canvas.tabIndex = isMap() || model.view === "displacement" ? 0 : -1; // else there is nothing to point at
    note.textContent = NOTES[model.view] ? NOTES[model.view]() : "";
    if (!faces && !["shape", "displacement"].includes(model.view)) { canvas.hidden = true; return; }
    canvas.hidden = model.view === "distances";
    if (["shape", "displacement", "distances"].includes(model.view)) {
      scale.hidden = true;
      pointed.textContent = "";
      canvas.classList.remove("wide");
      if (model.view === "distances") drawDistances();
      else drawApart();
      if (model.view === "displacement") {
        scale.hidden = false;
        scale.replaceChildren(make("div", { class: "keys" }, ...[["female", "women"], ["male", `men, ${MAGNIFIED} times the way`]].map(([label, words]) => {
          const mark = make("i", {});
          mark.style.background = known.colours[label];
          return make("span", {}, mark, words);
        })));
      }
      return;
    }
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
    const said = share > 1 || share < 0 ? `${percent(share, 0)}: beyond the ${share > 1 ? "first" : "second"}, an exaggeration` : `${percent(share, 0)} first, ${percent(1 - share, 0)} second`;
    told.textContent = said;
    canvas.setAttribute("aria-label", { blend: `Blend of ${of}: ${said}`, beside: `Averages of ${of}`, difference: `Difference of ${of}`, effect: `Effect between ${of}` }[model.view]);
    if (!values) pointed.textContent = "";
  }

  pointing(canvas, width, height, (at) => {
    if (!at) { pointed.textContent = ""; return; }
    if (model.view === "displacement" && mesh) {
      const women = between(0), men = between(1);
      const x = (at.x + 0.5) / width * known.width, y = (at.y + 0.5) / height * known.height;
      let near = 0;
      for (let point = 0; point < women.length; point += 2) {
        if (Math.hypot(women[point] - x, women[point + 1] - y) < Math.hypot(women[near] - x, women[near + 1] - y)) near = point;
      }
      const moved = Math.hypot(men[near] - women[near], men[near + 1] - women[near + 1]) / known.scale / known.pupils;
      const row = Math.min(height - 1, Math.floor(women[near + 1] / known.scale)), column = Math.min(width - 1, Math.floor(women[near] / known.scale));
      pointed.textContent = `${regions[region[row * width + column]]}: moves by ${percent(moved)} of the distance between the pupils`;
      return;
    }
    if (!faces || !isMap()) return;
    const pixel = at.y * width + at.x;
    pointed.textContent = `${regions[region[pixel]]}: ${faces.difference[pixel] > 0 ? "+" : ""}${faces.difference[pixel].toFixed(1)} of 255, g = ${faces.effect[pixel].toFixed(2)}`.replaceAll("-", "−");
  });

  // ---- to take away

  function save(blob, ending) {
    const link = make("a", { href: URL.createObjectURL(blob), download: `meanface-${model.view}.${ending}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function savePicture() {
    const times = canvas.width > 2 * width ? 2 : 6; // shape and texture are finer than the averages
    const large = make("canvas", { width: times * canvas.width, height: times * canvas.height });
    const context = large.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(canvas, 0, 0, large.width, large.height);
    large.toBlob((blob) => save(blob, "png"));
  }

  function saveTable() {
    if (model.view === "distances") {
      const rows = faces.distances.map(({ name, g, low, high }) => [name, ...[g, low, high].map((each) => each.toFixed(4))].join(","));
      save(new Blob([["distance,g,low,high", ...rows].join("\n") + "\n"], { type: "text/csv" }), "csv");
      return;
    }
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
  model.on("problem", show);
  for (const each of ["first", "second", "view", "blend", "shape", "texture"]) model.on(each, show);
  load();
}
