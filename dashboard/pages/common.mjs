// What several parts of pages use; written into each of them (see script in dashboard/parts.py).

// An element: functions of attributes named on... listen, true is an empty attribute, false and null are none.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

// An element of a drawing (SVG).
export function draw(tag, attributes = {}, text = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return element;
}

// Numbers that `as_text` of dashboard/pages/pixels.py wrote.
export const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const floats = (text) => new Float32Array(bytes(text).buffer);

// A share as a percentage, as `percent` of analysis/core/words.py writes it; a dash where it is not known.
export const percent = (share, digits = 1) => (share == null ? "–" : `${(100 * share).toFixed(digits).replace("-", "−")} %`);

// Tells of the place of a grid over a canvas that is pointed at, {x, y}, and null once none is: with the pointer, or, while
// the canvas has the focus, with arrow keys, ten steps at a time with Shift.
export function pointing(canvas, width, height, show) {
  let at = null;
  const put = (x, y) => {
    at = { x: Math.min(width - 1, Math.max(0, x)), y: Math.min(height - 1, Math.max(0, y)) };
    show(at);
  };
  const leave = () => { at = null; show(at); };
  canvas.tabIndex = 0;
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    put(Math.floor((event.clientX - box.left) / box.width * width), Math.floor((event.clientY - box.top) / box.height * height));
  });
  canvas.addEventListener("pointerleave", () => { if (!canvas.matches(":focus-visible")) leave(); });
  canvas.addEventListener("focus", () => { if (!at) put(width >> 1, height >> 1); });
  canvas.addEventListener("blur", leave);
  canvas.addEventListener("keydown", (event) => {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!at || !(x || y) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    put(at.x + (event.shiftKey ? 10 : 1) * x, at.y + (event.shiftKey ? 10 : 1) * y);
  });
}

// Pixels of a picture: {data, width, height}, four values for each.
export async function pixels(src) {
  const image = new Image();
  image.src = src;
  await image.decode();
  const drawn = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = drawn.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, drawn.width, drawn.height);
}

// The way from the numbers of one list to those of another: 0 is the first, 1 the second, beyond them it goes on.
export const along = (one, other, share) => Float32Array.from(one, (value, at) => value + share * (other[at] - value));

// Points, x and y in turn, in pixels of a picture that has `scale` of them for each of the frame: the middle of a small
// pixel, in pixels of the frame, is (at + 0.5) / scale - 0.5.
export const placed = (points, scale) => points.map((at) => (at + 0.5) * scale - 0.5);

// Draws colours that lie in one shape, `from`, in another: each pixel of a triangle is read from the same place of it there.
export function warped(colours, wide, tall, from, to, triangles) {
  const image = new ImageData(wide, tall);
  for (let corner = 0; corner < triangles.length; corner += 3) {
    const [a, b, c] = [0, 1, 2].map((each) => 2 * triangles[corner + each]);
    const [ax, ay, bx, by, cx, cy] = [to[a], to[a + 1], to[b], to[b + 1], to[c], to[c + 1]];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (!area) continue;
    const top = Math.max(0, Math.floor(Math.min(ay, by, cy))), bottom = Math.min(tall - 1, Math.ceil(Math.max(ay, by, cy)));
    const left = Math.max(0, Math.floor(Math.min(ax, bx, cx))), right = Math.min(wide - 1, Math.ceil(Math.max(ax, bx, cx)));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const u = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area, v = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area;
        if (u < -1e-3 || v < -1e-3 || u + v > 1.001) continue;
        const sx = Math.min(wide - 1.001, Math.max(0, from[a] + u * (from[b] - from[a]) + v * (from[c] - from[a])));
        const sy = Math.min(tall - 1.001, Math.max(0, from[a + 1] + u * (from[b + 1] - from[a + 1]) + v * (from[c + 1] - from[a + 1])));
        const px = Math.floor(sx), py = Math.floor(sy), fx = sx - px, fy = sy - py, at = 4 * (py * wide + px), put = 4 * (y * wide + x);
        for (let channel = 0; channel < 3; channel++) {
          image.data[put + channel] = (1 - fy) * ((1 - fx) * colours[at + channel] + fx * colours[at + 4 + channel]) +
            fy * ((1 - fx) * colours[at + 4 * wide + channel] + fx * colours[at + 4 * wide + 4 + channel]);
        }
        image.data[put + 3] = 255;
      }
    }
  }
  return image;
}
