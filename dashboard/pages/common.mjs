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
