// A gallery that asks the server for pictures as they come into sight; one of them is open beside it. See gallery.py.

const CELL = { width: 84, height: 118 }, STEP = 48; // pixels of a cell; pictures asked for at a time

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const percent = (share) => `${Math.round(100 * share)} %`;

export function render({ model, el }) {
  let tiles = new Map(), asked = new Set(), shown = new Map();
  const inner = make("div", { class: "inner" });
  const grid = make("div", { class: "grid", tabindex: 0, role: "group", "aria-label": "Pictures of the selection" }, inner);
  const one = make("div", { class: "one", role: "status" }), neighbours = make("div", { class: "near" });
  el.append(make("div", { class: "sides" }, grid, one));

  // The first picture is open until a visitor chooses another.
  const current = () => (model.one >= 0 ? model.one : tiles.get(0)?.number);
  const open = (number) => { model.one = number; };

  function tile(at) {
    const { number, src, caption } = tiles.get(at);
    return make("button", { type: "button", "data-number": number, "aria-pressed": String(number === current()), onclick: () => open(number) },
      make("img", { src, alt: "", width: 72, height: 88 }), make("small", {}, caption));
  }

  function show() {
    const columns = Math.max(1, Math.floor(grid.clientWidth / CELL.width));
    inner.style.height = `${Math.ceil(model.total / columns) * CELL.height}px`;
    const first = Math.max(0, Math.floor(grid.scrollTop / CELL.height) - 1) * columns;
    const last = Math.min(model.total, first + (Math.ceil(grid.clientHeight / CELL.height) + 3) * columns);
    for (const [at, element] of shown) if (at < first || at >= last) { element.remove(); shown.delete(at); }
    for (let at = first; at < last; at++) {
      const step = Math.floor(at / STEP);
      if (!tiles.has(at)) {
        if (!asked.has(step)) {
          asked.add(step);
          model.send_msg({ type: "tiles", start: step * STEP, version: model.version });
        }
        continue;
      }
      if (!shown.has(at)) { const element = tile(at); shown.set(at, element); inner.append(element); }
      const element = shown.get(at);
      element.style.left = `${(at % columns) * CELL.width}px`;
      element.style.top = `${Math.floor(at / columns) * CELL.height}px`;
    }
    grid.hidden = model.total === 0;
  }

  function renew() {
    tiles = new Map(); asked = new Set();
    for (const element of shown.values()) element.remove();
    shown = new Map();
    grid.scrollTop = 0;
    show();
  }

  function ask() {
    for (const element of shown.values()) element.setAttribute("aria-pressed", String(Number(element.dataset.number) === current()));
    const number = current();
    if (number !== undefined) { one.classList.add("waiting"); model.send_msg({ type: "one", number }); }
    else if (model.total === 0) one.replaceChildren(make("p", {}, "There is no picture of what is selected."));
  }

  function tell({ title, src, lines, shares, nearness }) {
    neighbours.replaceChildren();
    one.classList.remove("waiting");
    one.replaceChildren(
      make("div", { class: "head" }, make("img", { src, alt: title, width: 133, height: 163 }),
        make("div", {}, make("h3", {}, title), ...lines.map((line) => make("p", {}, line)))),
      ...(shares.length ? [make("table", {}, make("tbody", {}, ...shares.map(({ name, own, all }) => {
        const bar = make("span", { class: "share" });
        bar.style.setProperty("--own", `${100 * own}%`);
        bar.style.setProperty("--all", `${100 * all}%`);
        return make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "number" }, percent(own)),
          make("td", {}, bar), make("td", { class: "number" }, make("small", {}, `of all ${percent(all)}`)));
      })))] : []),
      make("p", {}, nearness), neighbours);
  }

  model.on("msg:custom", (message) => {
    if (message.type === "tiles" && message.version === model.version) {
      message.tiles.forEach((each, at) => tiles.set(message.start + at, each));
      show();
      if (message.start === 0 && model.one < 0) ask();
    }
    if (message.type === "near" && message.number === current()) {
      neighbours.replaceChildren(...message.tiles.map((each) => make("button", { type: "button", onclick: () => open(each.number) },
        make("img", { src: each.src, alt: "", width: 54, height: 66 }), make("small", {}, each.caption))));
    }
    if (message.type === "one" && message.told.number === current()) tell(message.told);
  });
  model.on("version", () => { renew(); ask(); });
  model.on("one", ask);
  grid.addEventListener("scroll", show);
  const watch = new ResizeObserver(show);
  watch.observe(grid);
  renew();
  ask();
  return () => watch.disconnect();
}
