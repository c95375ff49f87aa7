// Takes photos from a visitor, sends them to the server one at a time, and shows what it answers.
// The photos that are shown are those in the browser: the server sends no photo back.
// See PhotoBox in photos.py, which sends and receives the messages.

import { make, bytes, floats, percent } from "./common.mjs";

const PIECE = 4 * 2 ** 20; // bytes of a message; the server refuses those over 8 MB

const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
const ending = (name) => (name.includes(".") ? name.split(".").pop().toLowerCase() : "");

// Why a file is not sent, in a sentence; null if it is. What only its content can tell, the server says.
function refusal(file, model) {
  if (file.size === 0) return "the file is empty: send a photo";
  if (file.size > model.most_bytes) {
    return `the file is over ${model.most_bytes / 2 ** 20} MB, it has ${megabytes(file.size)}: upload a smaller photo`;
  }
  const end = ending(file.name);
  if (model.unreadable[end]) return model.unreadable[end];
  if (file.type && !file.type.startsWith("image/") && !model.endings.includes(end)) {
    return `not a photo that can be read: send a ${model.kinds}`;
  }
  return null;
}

export function render({ model, el }) {
  const photos = []; // oldest first: {id, name, url, error, faces}
  const waiting = []; // {id, file} or {id, sample}
  let turn = Promise.resolve(), explained = null; // maps are made one at a time
  let count = 0, answered = null, current = null, total = 0, done = 0, cancelled = false, order = "newest";

  // ---- what is always there

  const input = make("input", {
    type: "file", multiple: true, id: "files", accept: model.accept,
    onchange: () => { take([...input.files]); input.value = ""; },
  });
  const drop = make("label", { class: "drop", for: "files" },
    make("b", {}, "Choose photos"),
    make("span", { class: "fine" }, " or drop or paste them here"),
    make("small", {}, `Up to ${model.most_files} at a time, ${model.most_bytes / 2 ** 20} MB each: ${model.kinds}.`), input);
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); take([...event.dataTransfer.files]); });
  const paste = (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) { event.preventDefault(); take(files); }
  };
  document.addEventListener("paste", paste);

  const strip = make("div", { class: "strip" }, ...model.samples.map((sample) =>
    make("button", { type: "button", title: "Score this composite", onclick: () => begin([{ sample }]) },
      make("img", { src: sample.src, alt: `Sample: ${sample.name}`, width: 56, height: 69 }))));
  const camera = navigator.mediaDevices?.getUserMedia
    ? make("button", { type: "button", class: "act", onclick: photograph }, "Camera") : null;
  const all = model.samples.length
    ? make("button", { type: "button", class: "act", onclick: () => begin(model.samples.map((sample) => ({ sample }))) },
      "Score all samples") : null;
  const viewfinder = make("div", { class: "viewfinder" });
  const status = make("div", { class: "status", role: "status" });
  const results = make("div", { class: "results" });
  el.append(
    make("div", { class: "ways" }, drop,
      make("div", { class: "samples" },
        make("p", {}, model.samples.length ? "Or try a sample: composites, which show nobody." : ""), strip,
        make("div", { class: "acts" }, all, camera))),
    viewfinder, status, results);

  // ---- camera

  async function photograph() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    } catch (error) {
      viewfinder.replaceChildren(make("p", { class: "problem" }, `The camera cannot be used: ${error.message}.`));
      return;
    }
    const video = make("video", { autoplay: true, playsinline: true, muted: true });
    video.srcObject = stream;
    const close = () => { stream.getTracks().forEach((track) => track.stop()); viewfinder.replaceChildren(); };
    viewfinder.replaceChildren(video, make("div", { class: "acts" },
      make("button", {
        type: "button", class: "act", onclick: () => {
          const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
          canvas.getContext("2d").drawImage(video, 0, 0);
          close();
          canvas.toBlob((blob) => take([new File([blob], "camera.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.92);
        },
      }, "Take the photo"),
      make("button", { type: "button", class: "act", onclick: close }, "Close")));
  }

  // ---- sending, one at a time

  function take(files) {
    const chosen = files.slice(0, model.most_files);
    begin(chosen.map((file) => ({ file })));
    for (const file of files.slice(model.most_files)) {
      refuse(file, `left out, as only ${model.most_files} photos are taken at a time: send it again`);
    }
  }

  function refuse(file, error) {
    const photo = { id: `p${++count}`, name: file.name, error };
    photos.push(photo);
    model.send_msg({ type: "refused", name: photo.name, error });
    show();
  }

  function begin(items) {
    for (const item of items) {
      const error = item.file && refusal(item.file, model);
      if (error) refuse(item.file, error);
      else { waiting.push({ id: `p${++count}`, ...item }); total += 1; }
    }
    if (!current) next();
    else progress();
    // On a phone what follows is below the window: let the visitor see that something happens.
    if (status.getBoundingClientRect().bottom > window.innerHeight) status.scrollIntoView({ block: "start" });
  }

  async function next() {
    current = cancelled ? null : waiting.shift();
    if (!current) {
      const left = waiting.splice(0).length;
      current = null; total = 0; done = 0;
      status.replaceChildren(...(cancelled && left ? [`Stopped: ${left} photos were not sent.`] : []));
      cancelled = false;
      return;
    }
    progress();
    const { id, file, sample } = current;
    const photo = { id, name: file?.name ?? sample.name, url: sample?.src ?? null, started: performance.now() };
    try {
      if (sample) model.send_msg({ type: "sample", id, name: sample.name });
      else {
        photo.url = URL.createObjectURL(file);
        const pieces = Math.ceil(file.size / PIECE);
        for (let piece = 0; piece < pieces; piece++) {
          const data = await file.slice(piece * PIECE, (piece + 1) * PIECE).arrayBuffer();
          model.send_msg({ type: "piece", id, name: file.name, last: piece === pieces - 1, data });
        }
      }
      const answer = await new Promise((resolve) => { answered = resolve; });
      Object.assign(photo, { error: answer.error, faces: answer.faces, seconds: (performance.now() - photo.started) / 1000 });
    } catch { // what the browser cannot read: a folder, or a file that has gone since
      photo.error = "the browser cannot read it: choose single photos, not a folder";
      model.send_msg({ type: "refused", name: photo.name, error: photo.error });
    }
    photos.push(photo);
    done += 1;
    show();
    next();
  }

  model.on("msg:custom", (message) => {
    if (message.type === "scored" && message.id === current?.id) answered?.(message);
    if (message.type === "explained") explained?.(message);
    if (message.type === "cleared") {
      for (const photo of photos.splice(0)) if (photo.url?.startsWith("blob:")) URL.revokeObjectURL(photo.url);
      status.replaceChildren();
      show();
    }
  });

  const doing = make("span", {});
  const bar = make("progress", { "aria-label": "Photos scored" });
  const stop = make("button", { type: "button", class: "act", onclick: () => { cancelled = true; } }, "Stop");

  function progress() {
    doing.textContent = `Scoring ${done + 1} of ${total}: ${current.file?.name ?? current.sample?.name}`;
    bar.max = total;
    bar.value = done;
    // The button stays the same one: a click is lost on a button that is replaced under it.
    if (stop.parentNode !== status) status.replaceChildren(doing, bar, stop);
  }

  // ---- showing

  function summary() {
    const faces = photos.flatMap((photo) => photo.faces ?? []);
    const of = (label) => faces.filter((face) => face.label === label).length;
    const failed = photos.filter((photo) => photo.error).length;
    const many = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
    return `${many(photos.length - failed, "photo")}, ${many(faces.length, "face")}: ${of("female")} female, ${of("male")} male, ` +
      `${of("uncertain")} uncertain${failed ? `; ${many(failed, "file")} without an answer` : ""}.`;
  }

  const doubt = (photo) => Math.min(2, ...(photo.faces ?? []).map((face) => Math.abs(face.p_male - 0.5)));

  function show() {
    if (!photos.length) { results.replaceChildren(); return; }
    const sorted = [...photos].reverse();
    if (order === "doubt") sorted.sort((one, other) => doubt(one) - doubt(other));
    const choice = (value, words) => make("button", {
      type: "button", class: "act", "aria-pressed": String(order === value), onclick: () => { order = value; show(); },
    }, words);
    results.replaceChildren(
      make("div", { class: "summary" }, make("b", { role: "status" }, summary()),
        make("div", { class: "acts" }, choice("newest", "Newest first"), choice("doubt", "Least certain first"))),
      ...sorted.map((photo) => photo.shown ??= card(photo)));
  }

  function card(photo) {
    if (photo.error) {
      return make("article", { class: "failed" }, make("b", {}, photo.name), make("span", { class: "problem" }, photo.error));
    }
    const list = make("ol", {}, ...photo.faces.map((face) => row(face, photo)));
    const frame = make("div", { class: "photo" });
    const image = make("img", { alt: photo.name, onload: boxes, onerror: () => frame.remove() });
    image.src = photo.url;
    frame.append(image);
    const whole = make("article", { class: "scored" }, frame,
      make("div", { class: "answers" }, make("div", { class: "name" }, make("b", {}, photo.name),
        make("small", {}, `${photo.seconds.toFixed(1)} s`)), list));

    function boxes() { // the browser turns a photo upright as the server does: both count the same pixels
      const [width, height] = [image.naturalWidth, image.naturalHeight];
      const places = photo.faces.map((face) => {
        const box = make("span", { class: "box", "data-face": face.face }, make("i", {}, String(face.face + 1)));
        box.style.left = `${(100 * face.x) / width}%`;
        box.style.top = `${(100 * face.y) / height}%`;
        box.style.width = `${(100 * face.width) / width}%`;
        box.style.height = `${(100 * face.height) / height}%`;
        return box;
      });
      if (photo.faces.length > 1 || photo.faces[0].width < 0.95 * width) frame.append(...places);
    }
    const light = (event) => {
      const lit = event.type.endsWith("over") || event.type === "focusin" ? event.target.closest("[data-face]") : null;
      for (const each of whole.querySelectorAll("[data-face]")) {
        each.classList.toggle("lit", lit !== null && each.dataset.face === lit.dataset.face);
      }
    };
    for (const name of ["pointerover", "pointerout", "focusin", "focusout"]) whole.addEventListener(name, light);
    return whole;
  }

  // ---- what an answer depends on, on demand

  async function why(photo, face, button) {
    button.disabled = true;
    button.textContent = "Blurring parts of it ...";
    const data = bytes(face.aligned.split(",")[1]).buffer;
    const answer = await (turn = turn.then(() => new Promise((resolve) => {
      explained = resolve;
      model.send_msg({ type: "explain", name: photo.name, data });
    })));
    button.replaceWith(answer.error ? make("p", { class: "problem" }, answer.error) : await heat(face, answer));
  }

  async function heat(face, { heat, masks, seconds }) {
    const values = floats(heat);
    const image = new Image();
    image.src = face.aligned;
    await image.decode();
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    const canvas = make("canvas", { width, height, role: "img", "aria-label": `What the answer to face ${face.face + 1} depends on` });
    const context = canvas.getContext("2d");
    context.filter = "grayscale(1)";
    context.drawImage(image, 0, 0);
    context.filter = "none";
    const pixels = context.getImageData(0, 0, width, height);
    const most = Math.max(...values.map(Math.abs)) || 1;
    const colour = (name) => [1, 3, 5].map((at) => parseInt(model.colours[name].slice(at, at + 2), 16));
    const [female, male] = [colour("female"), colour("male")];
    values.forEach((value, at) => {
      const share = 0.75 * Math.min(1, Math.abs(value) / most), to = value > 0 ? male : female;
      for (const channel of [0, 1, 2]) {
        pixels.data[4 * at + channel] = (1 - share) * pixels.data[4 * at + channel] + share * to[channel];
      }
    });
    context.putImageData(pixels, 0, 0);
    const key = (name, words) => {
      const mark = make("i", {});
      mark.style.background = model.colours[name];
      return make("span", {}, mark, words);
    };
    return make("div", { class: "why" }, canvas, make("div", {},
      make("div", { class: "keys" }, key("female", "speaks for “female”"), key("male", "speaks for “male”")),
      make("small", {}, `Parts of the face were blurred at random, ${masks} times, and the model was asked again (${seconds.toFixed(1)} s). ` +
        "The deeper the colour, the more the answer hangs on that place. The map of one face is rough, and says what the model uses, not why people look as they do.")));
  }

  function row(face, photo) {
    const [low, high] = model.band;
    const scale = make("div", { class: "scale", role: "img", "aria-label": `${percent(face.p_male)} male` },
      make("span", { class: "unsure" }), make("span", { class: "tick" }));
    scale.style.setProperty("--low", `${100 * low}%`);
    scale.style.setProperty("--high", `${100 * high}%`);
    scale.style.setProperty("--at", `${100 * face.p_male}%`);
    const remark = face.too_small ? "; too small a face to be judged" : face.small ? "; a very small face: less certain" : "";
    const label = make("span", { class: "label" }, face.label);
    label.style.setProperty("--colour", model.colours[face.label]);
    const ask = make("button", { type: "button", class: "act", onclick: () => why(photo, face, ask) }, "What does it depend on?");
    return make("li", { "data-face": face.face, tabindex: "0" },
      make("span", { class: "number" }, String(face.face + 1)),
      make("img", { src: face.aligned, alt: `Face ${face.face + 1} as the model sees it`, width: 45, height: 55 }),
      make("div", { class: "verdict" }, label,
        make("small", {}, `p(male) ${percent(face.p_male)}${face.turned ? `; turned by ${face.turned}° to find it` : ""}${remark}`)),
      make("div", { class: "bar" }, scale, make("div", { class: "ends" },
        make("small", {}, "female"), make("small", {}, "uncertain"), make("small", {}, "male"))), ask);
  }

  return () => document.removeEventListener("paste", paste);
}
