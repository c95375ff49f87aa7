// A gallery that asks the server for pictures as they come into sight; one of them is open beside it. See gallery.py.

import { make, percent } from "./common.mjs";

const CELL = { width: 84, height: 118 }, STEP = 48; // pixels of a cell; pictures asked for at a time

export function render({ model, el }) {
  // Of all pictures one can be tabbed to, `cursor`; arrows move it, and with it the focus once its picture is there.
  let tiles = new Map(), asked = new Set(), shown = new Map(), cursor = 0, moved = false;
  const inner = make("div", { class: "inner", role: "none" });
  const grid = make("div", { class: "grid", role: "listbox", "aria-label": "Pictures of the selection", onkeydown: move }, inner);
  const one = make("div", { class: "one", role: "status" }), neighbours = make("div", { class: "near" });
  el.append(make("div", { class: "sides" }, grid, one));

  // The first picture is open until a visitor chooses another.
  const current = () => (model.one >= 0 ? model.one : tiles.get(0)?.number);
  const open = (number) => { model.one = number; };

  function tile(at) {
    const { number, src, caption } = tiles.get(at);
    return make("button", { type: "button", role: "option", "data-number": number, "aria-setsize": model.total, "aria-posinset": at + 1,
      "aria-selected": String(number === current()), onclick: () => { cursor = at; show(); open(number); } },
      make("img", { src, alt: "", width: 72, height: 88 }), make("small", {}, caption));
  }

  const across = () => Math.max(1, Math.floor(grid.clientWidth / CELL.width));

  function move(event) {
    const columns = across(), page = columns * Math.max(1, Math.floor(grid.clientHeight / CELL.height));
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page,
      Home: -model.total, End: model.total };
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    cursor = Math.min(model.total - 1, Math.max(0, cursor + steps[event.key]));
    moved = true;
    const top = Math.floor(cursor / columns) * CELL.height;
    grid.scrollTop = Math.min(top, Math.max(grid.scrollTop, top + CELL.height + 16 - grid.clientHeight));
    show();
  }

  function show() {
    const columns = across(), focused = el.getRootNode().activeElement;
    inner.style.height = `${Math.ceil(model.total / columns) * CELL.height}px`;
    const first = Math.max(0, Math.floor(grid.scrollTop / CELL.height) - 1) * columns;
    const last = Math.min(model.total, first + (Math.ceil(grid.clientHeight / CELL.height) + 3) * columns);
    for (const [at, element] of shown) {
      if ((at < first || at >= last) && at !== cursor && element !== focused) { element.remove(); shown.delete(at); }
    }
    for (const at of new Set([cursor, ...Array.from({ length: Math.max(0, last - first) }, (_, each) => first + each)])) {
      if (at >= model.total) continue;
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
    for (const [at, element] of shown) element.tabIndex = at === cursor ? 0 : -1;
    if (moved && shown.has(cursor)) { moved = false; shown.get(cursor).focus({ preventScroll: true }); }
    grid.setAttribute("aria-busy", String(!shown.size));
    grid.hidden = model.total === 0;
  }

  function renew() {
    tiles = new Map(); asked = new Set();
    for (const element of shown.values()) element.remove();
    shown = new Map();
    cursor = 0;
    moved = false;
    grid.scrollTop = 0;
    show();
  }

  function ask() {
    for (const element of shown.values()) element.setAttribute("aria-selected", String(Number(element.dataset.number) === current()));
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
