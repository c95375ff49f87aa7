// The way from one average face to another and beyond, on a slider: shapes and textures apart where they are known, else
// pixel by pixel. Both faces are sent once for a selection (see between.py); what is between them is made here.

import { make, along, bytes, floats, percent, pixels, placed, warped } from "./common.mjs";

export function render({ model, el }) {
  const mesh = model.mesh.triangles && {
    common: placed(floats(model.mesh.common), model.mesh.scale), triangles: new Uint16Array(bytes(model.mesh.triangles).buffer) };
  const canvas = make("canvas", { role: "img" });
  const slider = make("input", { type: "range", min: 0, max: 200, step: 1, id: "way" });
  const told = make("output", { for: "way" });
  const whole = make("div", { class: "way" }, canvas, make("div", {}, make("label", { for: "way" }, "From the rest to the selection"), slider,
    make("div", { class: "ends" }, ...["rest", "selected", "twice"].map((each) => make("small", {}, each))), told));
  el.append(whole);
  let faces = null; // colours of both, and their points where shapes are known

  async function load() {
    const pair = model.pair;
    whole.hidden = !pair.pictures;
    if (whole.hidden) { faces = null; return; }
    const pictures = await Promise.all(pair.pictures.map(pixels));
    if (pair !== model.pair) return; // another selection has come since
    const points = pair.points && pair.points.map((text) => {
      const own = placed(floats(text), model.mesh.scale);
      return Float32Array.from(mesh.common, (at, place) => own[place] ?? at); // the frame's edge stays where it is
    });
    faces = { pictures, points };
    draw();
  }

  function draw() {
    if (!faces) return;
    const share = Number(slider.value) / 100, [rest, own] = faces.pictures, { width, height } = rest;
    const colours = along(rest.data, own.data, share);
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").putImageData(faces.points
      ? warped(colours, width, height, mesh.common, along(faces.points[0], faces.points[1], share), mesh.triangles)
      : new ImageData(new Uint8ClampedArray(colours), width, height), 0, 0);
    told.textContent = share > 1 ? `${percent(share, 0)} of the way: an exaggeration` : `${percent(share, 0)} of the way`;
    canvas.setAttribute("aria-label", `Average face, ${told.textContent} from the rest to the selection`);
  }

  slider.addEventListener("input", draw);
  slider.addEventListener("change", () => { model.share = Number(slider.value); });
  model.on("share", () => { slider.value = model.share; draw(); });
  model.on("pair", load);
  slider.value = model.share;
  load();
}
