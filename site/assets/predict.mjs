// The Predict page: photos are decoded, searched for faces and scored in this browser. Nothing is sent anywhere.
// What the model needs (vendored by tools/assets.py) is loaded when the first photo is given.
import { Detector, warp } from "./detector.mjs";

const HERE = new URL("predictor/", import.meta.url);
const FULL_PIXELS = 16_000_000, MAX_PIXELS = 52_000_000, LEAST_SIDE = 16; // as analysis/data/photo.py

let loading = null;
async function load() {
  const fetched = async (name) => {
    const answer = await fetch(new URL(name, HERE));
    if (!answer.ok) throw new Error(`${name} could not be loaded (${answer.status})`);
    return answer;
  };
  const [card, ort] = await Promise.all([fetched("card.json").then((answer) => answer.json()), import(new URL("ort.wasm.min.mjs", HERE))]);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = HERE.href;
  ort.env.logLevel = "error";
  // "all", as on the server, computes the 8-bit layers in whole numbers: the same picture has the same probability.
  const session = async (name) => ort.InferenceSession.create(
    await (await fetched(name)).arrayBuffer(), { logSeverityLevel: 3, graphOptimizationLevel: "all" });
  const [faces, network] = await Promise.all([session("detector.onnx"), session(card.file)]);
  let turn = Promise.resolve(); // a session answers one question at a time
  const run = (made, name, data, shape) => {
    const answer = turn.then(() => made.run({ [name]: new ort.Tensor("float32", data, shape) }));
    turn = answer.catch(() => {});
    return answer;
  };
  const detector = new Detector((planes, width, height) => run(faces, faces.inputNames[0], planes, [1, 3, height, width]), card.landmarks);
  const probability = async (frame) => {
    const { height, width, frame: [tall, wide] } = card.input;
    const top = Math.round((tall - height) * 0.8), left = Math.floor((wide - width) / 2), seen = new Float32Array(height * width * 3);
    for (let y = 0; y < height; y++) {
      const start = ((top + y) * wide + left) * 3;
      seen.set(frame.data.subarray(start, start + width * 3), y * width * 3);
    }
    const logit = (await run(network, network.inputNames[0], seen, [1, height, width, 3]))[network.outputNames[0]].data[0];
    return 1 / (1 + Math.exp(-logit / card.temperature));
  };
  return { card, detector, probability };
}

// How files of each kind begin; a browser can decode the first ones, as far as they are whole.
const KINDS = [
  ["JPEG", /^\xff\xd8\xff/], ["PNG", /^\x89PNG/], ["WebP", /^RIFF....WEBP/s], ["GIF", /^GIF8/], ["BMP", /^BM/],
  ["AVIF", /^....ftypavi[fs]/s], ["HEIC", /^....ftyp(hei|hev|mif|msf)/s], ["TIFF", /^(II\*\0|MM\0\*)/], ["JPEG XL", /^(\xff\x0a|\0\0\0\x0cJXL )/],
];
const DECODED = ["JPEG", "PNG", "WebP", "GIF", "BMP"];

/** The kind of a file by its first bytes, undefined if it is no picture, and its width and height where they stand there. */
async function opening(file) {
  const bytes = new Uint8Array(await file.slice(0, 2 ** 18).arrayBuffer()), view = new DataView(bytes.buffer);
  const kind = KINDS.find(([, begins]) => begins.test(String.fromCharCode(...bytes.subarray(0, 16))))?.[0];
  if (kind === "PNG" && bytes.length >= 24) return { kind, width: view.getUint32(16), height: view.getUint32(20) };
  for (let at = 2; kind === "JPEG" && at + 9 < bytes.length && bytes[at] === 0xff; at += 2 + view.getUint16(at + 2)) {
    const frame = bytes[at + 1] >= 0xc0 && bytes[at + 1] <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(bytes[at + 1]);
    if (frame) return { kind, height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
  }
  return { kind };
}

function checkSize(width, height) {
  if (Math.min(width, height) < LEAST_SIDE) throw new Error(`the photo is ${width} x ${height} pixels: at least ${LEAST_SIDE} a side are needed`);
  if (width * height > MAX_PIXELS) throw new Error(`the photo is too large, ${Math.round((width * height) / 1e6)} megapixels: choose one of up to ${MAX_PIXELS / 1e6}`);
}

/** Decode a photo, upright, transparent parts white, at half its size above 16 megapixels. */
async function decode(file) {
  const told = await opening(file);
  if (!told.kind) throw new Error("this file is not a picture: choose a photo, as JPEG, PNG or WebP");
  if (told.width && told.height) checkSize(told.width, told.height); // before so much memory is taken
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(DECODED.includes(told.kind)
      ? `the ${told.kind} file is damaged or cut short: choose one that is whole`
      : `this browser cannot read ${told.kind} pictures: save the photo as JPEG, PNG or WebP and choose that`);
  }
  const { width, height } = bitmap;
  checkSize(width, height);
  const shrink = width * height > FULL_PIXELS ? 2 : 1;
  const canvas = new OffscreenCanvas(Math.floor(width / shrink), Math.floor(height / shrink));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height), pixels = new Uint8ClampedArray((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    pixels[to++] = data[from]; pixels[to++] = data[from + 1]; pixels[to++] = data[from + 2];
  }
  return { canvas, image: { width: canvas.width, height: canvas.height, data: pixels }, width, height, shrink };
}

/** Predict every face of a photo: { canvas, faces: [{ x, y, width, height, label, p_male, turned }] }. */
export async function predict(file) {
  const [{ card, detector, probability }, photo] = await Promise.all([(loading ??= load().catch((error) => { loading = null; throw error; })), decode(file)]);
  const found = await detector.faces(photo.image), faces = [];
  if (!found.length) throw new Error("no face found: choose a photo in which a face is in full view");
  const [tall, wide] = card.input.frame;
  for (const [face, { box, landmarks, turned }] of found.entries()) {
    const p = await probability(warp(photo.image, landmarks, card.landmarks, wide, tall).picture);
    const tooSmall = box[2] < LEAST_SIDE;
    const label = tooSmall || (p > card.band.low && p < card.band.high) ? "uncertain" : p >= 0.5 ? "male" : "female";
    const [x, y, width, height] = box.map((side) => side * photo.shrink);
    faces.push({ face, x, y, width: Math.min(width, photo.width - x), height: Math.min(height, photo.height - y), label, p_male: p, turned, small: box[2] < SMALLEST, tooSmall });
  }
  return { canvas: photo.canvas, shrink: photo.shrink, faces, card };
}

// ---- the page

const COLUMNS = ["file", "face", "x", "y", "width", "height", "label", "p_male", "turned", "small", "error"];
const SMALLEST = 40; // pixels from which on every face is found, as analysis.data.detection has it
const rows = []; // of the report
const element = (name, attributes = {}, ...parts) => {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...parts);
  return made;
};

function picture({ canvas, shrink, faces }) {
  const shown = element("canvas", { role: "img", "aria-label": `The photo with ${faces.length === 1 ? "a box around its face" : `boxes around its ${faces.length} faces`}` });
  const scale = Math.min(1, 1280 / Math.max(canvas.width, canvas.height));
  [shown.width, shown.height] = [canvas.width * scale, canvas.height * scale];
  shown.style.maxWidth = `${Math.max(220, shown.width)}px`;
  const context = shown.getContext("2d"), style = getComputedStyle(document.documentElement);
  context.drawImage(canvas, 0, 0, shown.width, shown.height);
  context.lineWidth = Math.max(2, shown.width / 250);
  context.font = `bold ${Math.max(12, shown.width / 40)}px sans-serif`;
  for (const { face, x, y, width, height, label } of faces) {
    context.strokeStyle = context.fillStyle = style.getPropertyValue(`--${label}`).trim();
    context.strokeRect((x / shrink) * scale, (y / shrink) * scale, (width / shrink) * scale, (height / shrink) * scale);
    if (faces.length > 1) context.fillText(face + 1, (x / shrink) * scale + 4, (y / shrink) * scale - 4);
  }
  return shown;
}

function bar({ label, p_male: p, turned, small, tooSmall }, { band }, many, number) {
  const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
  const scale = element("div", { class: "score", role: "img", "aria-label": `Probability of male ${percent(p)}; uncertain between ${percent(band.low)} and ${percent(band.high)}` },
    element("span", { class: "score-band", style: `left:${100 * band.low}%;width:${100 * (band.high - band.low)}%` }),
    element("span", { class: `score-mark ${label}`, style: `left:${100 * p}%` }));
  const ends = element("div", { class: "score-ends", "aria-hidden": "true" }, element("span", {}, "female"), element("span", {}, "uncertain"), element("span", {}, "male"));
  return element("li", {}, element("p", {}, element("strong", {}, many ? `Face ${number + 1}: ${label}` : label), ` · probability of “male” ${percent(p)}${turned ? `; the photo was turned by ${turned}° to bring the face upright` : ""}${tooSmall ? "; too small a face to be judged" : small ? "; a very small face: less certain" : ""}`), scale, ends);
}

async function show(file, place, status, tools) {
  const card = element("article", { class: "prediction" }, element("h3", { class: "no-anchor" }, file.name));
  place.prepend(card);
  try {
    const found = await predict(file);
    card.append(picture(found), element("ul", {}, ...found.faces.map((face, number) => bar(face, found.card, found.faces.length > 1, number))));
    rows.push(...found.faces.map((face) => ({ file: file.name, ...face, error: "" })));
  } catch (error) {
    card.append(element("p", { class: "prediction-error" }, error.message));
    rows.push({ file: file.name, error: error.message });
  }
  tools.hidden = false;
}

function start(root) {
  const [input, status, place, tools] = ["input", ".predictor-status", ".predictor-results", ".predictor-tools"].map((selector) => root.querySelector(selector));
  let queue = Promise.resolve();
  const take = (files) => {
    for (const file of files) {
      queue = queue.then(async () => {
        status.textContent = loading ? `Looking at ${file.name} …` : "Loading the model, once …";
        await new Promise((done) => setTimeout(done, 20)); // the line is painted first
        await show(file, place, status, tools);
        status.textContent = "";
      });
    }
  };
  input.addEventListener("change", () => { take(input.files); input.value = ""; });
  root.addEventListener("dragover", (event) => { event.preventDefault(); root.classList.add("dragged"); });
  root.addEventListener("dragleave", () => root.classList.remove("dragged"));
  root.addEventListener("drop", (event) => { event.preventDefault(); root.classList.remove("dragged"); take(event.dataTransfer.files); });
  for (const sample of root.querySelectorAll(".predictor-samples button")) {
    sample.addEventListener("click", async () => {
      const source = sample.querySelector("img").src; // a file beside the page, or, if it is small, within it
      const bytes = source.startsWith("data:")
        ? Uint8Array.from(atob(source.split(",")[1]), (letter) => letter.charCodeAt(0))
        : await (await fetch(source)).blob();
      take([new File([bytes], sample.dataset.name, { type: "image/webp" })]);
    });
  }
  tools.querySelector(".predictor-csv").addEventListener("click", () => {
    const cell = (value) => (/[",\n]/.test(String(value ?? "")) ? `"${String(value).replaceAll('"', '""')}"` : (value ?? ""));
    const text = [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => cell(row[name])))].map((row) => row.join(",")).join("\n");
    const link = element("a", { href: URL.createObjectURL(new Blob([text + "\n"], { type: "text/csv" })), download: "predictions.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  tools.querySelector(".predictor-clear").addEventListener("click", () => { rows.length = 0; place.replaceChildren(); tools.hidden = true; });
  root.dataset.ready = "yes";
}

const root = document.querySelector("#predictor");
if (root) start(root);
