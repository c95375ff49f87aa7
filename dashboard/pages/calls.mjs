// Calls the API from the page and shows request and answer as they are; examples in several languages, with the address
// under which this page was reached.

import { make, bytes } from "./common.mjs";

export function render({ model, el }) {
  const base = new URL("..", location.href).href.replace(/\/$/, ""); // below any prefix of a proxy

  function code(text, name) {
    const copy = make("button", { type: "button", class: "act copy" }, "Copy");
    copy.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text); copy.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(block); copy.textContent = "Selected: press Ctrl-C"; } // no secure connection
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
    });
    const block = make("pre", { tabindex: "0", "aria-label": name }, make("code", {}, text));
    return make("div", { class: "code" }, block, copy);
  }

  // ---- try it

  const input = make("input", { type: "file", multiple: true, accept: "image/*", id: "call",
    onchange: () => { call([...input.files]); input.value = ""; } });
  const drop = make("label", { class: "drop", for: "call" }, make("b", {}, "Choose photos to send"), make("small", {}, "or drop them here"), input);
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); call([...event.dataTransfer.files]); });
  const file = (name, data, type) => new File([data], name, { type });
  const sample = () => file("composite.jpg", bytes(model.sample.split(",")[1]), "image/jpeg");
  const answer = make("div", { class: "answer", "aria-live": "polite" });
  const buttons = [];
  if (model.sample) buttons.push(make("button", { type: "button", class: "act", onclick: () => call([sample()]) }, "Send a sample"));
  buttons.push(make("button", { type: "button", class: "act", onclick: () => call([file("notes.txt", "not a photo", "text/plain")]) }, "Send what is no photo"));

  async function call(files) {
    if (!files.length) return;
    const form = new FormData();
    for (const each of files) form.append("file", each);
    const url = `${base}/api/v1/predict`;
    answer.replaceChildren(make("p", {}, "Waiting for the answer ..."));
    const started = performance.now();
    try {
      const response = await fetch(url, { method: "POST", body: form });
      const text = await response.text();
      const milliseconds = Math.round(performance.now() - started);
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it is */ }
      const request = `curl ${files.map((each) => `--form 'file=@${each.name.replaceAll("'", "'\\''")}'`).join(" ")} ${url}`;
      answer.replaceChildren(make("h3", {}, "Request"), code(request, "Request"),
        make("h3", {}, `Answer: ${response.status} ${response.statusText} in ${milliseconds} ms`), code(shown, "Answer"));
    } catch (error) {
      answer.replaceChildren(make("p", { class: "problem" }, `The request failed: ${error.message}.`));
    }
  }

  // ---- examples

  const names = Object.keys(model.examples);
  const shown = make("div", {});
  const tabs = names.map((name, at) => make("button", { type: "button", class: "act", onclick: () => { model.example = at; show(); } }, name));
  function show() {
    const open = Math.min(model.example, names.length - 1);
    tabs.forEach((tab, at) => tab.setAttribute("aria-pressed", String(at === open)));
    shown.replaceChildren(code(model.examples[names[open]].replaceAll(model.placeholder, base), names[open]));
  }
  model.on("example", show);

  el.append(make("h2", {}, "Try it"), make("div", { class: "ways" }, drop, make("div", { class: "acts" }, ...buttons)), answer);
  if (names.length) {
    el.append(make("h2", {}, "Examples"), make("div", { class: "acts", role: "group", "aria-label": "Language" }, ...tabs), shown);
    show();
  }
}
