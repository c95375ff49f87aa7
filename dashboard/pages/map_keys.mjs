// A box on the map that is moved with keys; the server draws it (see map_keys.py), and Enter selects by it.

import { make } from "./common.mjs";

const LEAST = 0.02; // of the map's width and height
const STEP = 0.02;

export function render({ model, el }) {
  const told = make("span", { id: "told", "aria-live": "polite" });
  const area = make("div", { class: "keys-of-map", tabindex: 0, role: "application", "aria-label": "Select on the map with keys", "aria-describedby": "how told" },
    make("b", {}, "With keys: "), make("span", { id: "how" }, "stop here with the Tab key. Arrows move a box on the map, with Shift they change its size; Enter selects what is in it, " +
      "plus and minus zoom to it and back, Escape takes the box away. "), told);
  el.append(area);
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  let box = [0.35, 0.35, 0.3, 0.3]; // left, top, width and height, as shares of what is in sight

  function put(next) {
    const [width, height] = [clamp(next[2], LEAST, 1), clamp(next[3], LEAST, 1)];
    box = [clamp(next[0], 0, 1 - width), clamp(next[1], 0, 1 - height), width, height];
    model.box = box;
    const whole = box.map((each) => Math.round(100 * each));
    told.textContent = `Box from ${whole[0]} % to ${whole[0] + whole[2]} % across, ${whole[1]} % to ${whole[1] + whole[3]} % down.`;
  }

  area.addEventListener("focus", () => put(box));
  area.addEventListener("blur", () => { model.box = []; });
  area.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    const act = { Enter: "select", "+": "in", "-": "out", Escape: "none" }[event.key];
    if (!(x || y || act)) return;
    event.preventDefault();
    if (x || y) {
      put(event.shiftKey ? [box[0], box[1], box[2] + STEP * x, box[3] + STEP * y] : [box[0] + STEP * x, box[1] + STEP * y, box[2], box[3]]);
      return;
    }
    if (act === "none") { model.box = []; told.textContent = "No box."; return; }
    if (!model.box.length) put(box);
    model.send_msg({ type: act, box });
    if (act === "in") put([0.25, 0.25, 0.5, 0.5]);
  });
}
