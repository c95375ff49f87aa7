// What every page of the report does in a browser. All of it can be read without: figures have captions, tables scroll.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const here = new URL(".", document.currentScript.src); // the assets
  const INK = { light: "#3B3946", dark: "#D6D4DE" }; // the first is analysis.figures.theme.INK
  const narrow = matchMedia("(max-width: 600px)");
  const isDark = () => Boolean(document.querySelector("html.quarto-dark, body.quarto-dark"));

  // ---- figures: drawn once they come into view, in the page's colours; a phone has a layout of its own
  const load = (address) => new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = done;
    script.onerror = () => failed(new Error(`${address} cannot be loaded`));
    document.head.append(script);
  });
  let bokeh = null, interactive = null;
  const loadBokeh = () => bokeh ??= load(new URL("bokeh/bokeh.min.js", here));
  const loadInteract = () => interactive ??= load(new URL("interact.js", here));
  // A figure's numbers stand in the page, or in a script beside it: a page on a disk may load scripts, not read files.
  const numbers = async (packed) => {
    const name = packed.dataset.figure;
    if (!name) return packed.textContent.trim();
    if (!window.meanfaceFigures?.[name]) await load(new URL(`../figures/${name}.js`, here));
    return window.meanfaceFigures[name];
  };
  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  const drawn = new Map(); // place of a figure -> its views
  const draw = async (place) => {
    const figure = place.closest(".chart");
    const view = figure.dataset.view ?? ""; // "" is the first one
    const packed = (narrow.matches && figure.querySelector(`script.figure-phone${view}`)) || figure.querySelector(`script.figure-data${view}`);
    const [text] = await Promise.all([numbers(packed).then(unpack), loadBokeh()]);
    const item = JSON.parse(isDark() ? text.replaceAll(INK.light, INK.dark) : text);
    const before = drawn.get(place) ?? [];
    const canvas = document.createElement("div");
    canvas.className = "unseen"; // its still, or what was drawn before, stands until it is ready
    place.append(canvas);
    const views = await Bokeh.embed.embed_item(item, canvas);
    drawn.set(place, [...(views.roots ?? views)]);
    canvas.className = "";
    place.replaceChildren(canvas);
    for (const view of before) view.model.document?.clear();
    offer(figure, place);
  };
  const failing = (place) => (error) => {
    console.error(error);
    place.textContent = "This figure could not be drawn here; its finding stands below.";
  };
  // One after the other: a figure whose place is taken away while it is drawn fails.
  const drawing = new Map();
  const drawNext = (place) => {
    const before = drawing.get(place) ?? Promise.resolve();
    drawing.set(place, before.then(() => draw(place)).catch(failing(place)));
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting || drawn.has(entry.target)) continue;
      drawn.set(entry.target, []);
      drawNext(entry.target);
    }
  }, { rootMargin: "400px" });
  const again = () => { for (const place of [...drawn.keys()]) drawNext(place); };

  // ---- a figure with several views shows one of them
  const switches = () => {
    for (const bar of all(".chart > .views")) {
      const figure = bar.closest(".chart"), place = figure.querySelector(".drawing"), buttons = all("button", bar);
      const findings = all(".finding", figure), shows = place.getAttribute("aria-label").replace(findings[0].textContent, "");
      const others = all(".other-view", figure), link = figure.querySelector("a.figure-image"), first = link?.getAttribute("href");
      const show = (chosen) => {
        figure.dataset.view = chosen || "";
        findings[0].hidden = chosen > 0;
        for (const [number, button] of buttons.entries()) button.setAttribute("aria-pressed", String(number === chosen));
        for (const [number, other] of others.entries()) other.classList.toggle("shown", number + 1 === chosen);
        place.setAttribute("aria-label", shows + findings[chosen].textContent);
        const still = chosen ? others[chosen - 1].querySelector("img")?.getAttribute("src") : first;
        if (still) link?.setAttribute("href", still);
        else link?.removeAttribute("href");
        if (drawn.has(place)) drawNext(place);
      };
      for (const [number, button] of buttons.entries()) button.addEventListener("click", () => show(number));
    }
  };

  // ---- figures that are made here, not by BokehJS
  const interact = async (figure) => {
    const packed = figure.querySelector("script.figure-data");
    const [text] = await Promise.all([numbers(packed).then(unpack), loadInteract()]);
    await window.meanfaceInteract[figure.dataset.kind](figure, JSON.parse(text));
    together();
  };
  const met = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      met.unobserve(entry.target);
      interact(entry.target).catch(console.error); // its still stands there
    }
  }, { rootMargin: "400px" });

  // ---- beneath a figure: its numbers and its picture, made here
  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const quoted = (value) => /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? "");
  const table = (source) => {
    const held = source.data instanceof Map ? [...source.data] : Object.entries(source.data);
    const columns = held.filter(([, values]) => values.length && typeof values[0] !== "object"); // no pictures
    if (columns.length < 2) return "";
    const rows = Array.from(columns[0][1], (_, row) => columns.map(([, values]) => quoted(values[row])).join(","));
    return [columns.map(([name]) => quoted(name)).join(","), ...rows].join("\n");
  };
  const offer = (figure, place) => {
    const tools = figure.querySelector(".figure-tools");
    if (!tools || tools.querySelector("button")) return;
    const name = (figure.closest("[id^='fig-']")?.id ?? "figure").replace(/^fig-/, "");
    const made = [];
    const button = (text, act) => {
      made.push(document.createElement("button"));
      made.at(-1).type = "button";
      made.at(-1).textContent = text;
      made.at(-1).addEventListener("click", act);
    };
    const tables = () => drawn.get(place).flatMap((view) => [...view.model.references()])
      .filter((model) => model.type === "ColumnDataSource").map(table).filter(Boolean);
    if (tables().length) {
      button("Data (CSV)", () => save(new Blob([[...new Set(tables())].join("\n\n") + "\n"], { type: "text/csv" }), `${name}.csv`));
    }
    button("Image (PNG)", async () => {
      for (const view of drawn.get(place)) save(await view.export("png").to_blob(), `${name}.png`);
    });
    tools.prepend(...made);
  };

  // ---- on a phone the contents of a page stand above its text
  const contents = () => {
    const list = document.querySelector("nav#TOC > ul, nav[role='doc-toc'] > ul");
    const main = document.querySelector("main");
    if (!list || !main) return;
    const folded = document.createElement("details");
    folded.className = "contents-phone";
    folded.innerHTML = "<summary>On this page</summary>";
    const copy = list.cloneNode(true);
    copy.classList.remove("collapse");
    for (const part of all("[id], .collapse, .active", copy)) {
      part.removeAttribute("id");
      part.classList.remove("collapse", "active");
    }
    for (const link of all("a", copy)) link.addEventListener("click", () => { folded.open = false; });
    folded.append(copy);
    const title = main.querySelector("#title-block-header, header");
    title ? title.after(folded) : main.prepend(folded);
  };

  // ---- a number and its sign stay on one line
  const together = () => {
    const walker = document.createTreeWalker(document.querySelector("main") ?? document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode;
      if (/\d %/.test(text.data) && !text.parentElement.closest("script, pre, code")) {
        text.data = text.data.replace(/(\d) %/g, "$1\u00a0%");
      }
    }
  };

  // ---- a term says what it means when it is pointed at, a reference what it leads to; links lead there, too
  let meanings = null;
  const meaning = async (link) => {
    meanings ??= fetch(link.href.split("#")[0]).then((answer) => answer.text()).then((text) => new DOMParser().parseFromString(text, "text/html"));
    const found = (await meanings).getElementById(link.hash.slice(1));
    return (found?.matches("section") ? found : found?.parentElement)?.querySelector("p") ?? found?.nextElementSibling;
  };
  const referred = async (link) => {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    return target?.querySelector("figcaption") ?? target;
  };
  const explain = async (link, find) => {
    const said = await find(link);
    if (said && !link.querySelector(".term-meaning")) {
      const note = document.createElement("span");
      note.className = "term-meaning";
      note.setAttribute("role", "tooltip");
      note.textContent = said.textContent.trim();
      link.append(note);
      const right = note.getBoundingClientRect().right - document.documentElement.clientWidth + 12;
      if (right > 0) note.style.marginLeft = `${-right}px`;
    }
  };
  const terms = () => {
    const offered = [["main a.term", meaning]];
    if (!window.tippy) offered.push(["main :is(a.quarto-xref, a[role='doc-biblioref'], .footnote-ref a, a.footnote-ref)", referred]); // Quarto does it itself
    for (const [selector, find] of offered) {
      for (const link of all(selector)) {
        link.classList.add("explained");
        for (const kind of ["mouseenter", "focus"]) link.addEventListener(kind, () => explain(link, find).catch(() => {}), { once: true });
      }
    }
  };

  // ---- a picture is shown larger when it is pressed
  const enlarge = () => {
    const pictures = all("main .quarto-float-fig img:not(.still)").filter((picture) => !picture.closest(".blend, .interactive, .other-view, button, a"));
    if (!pictures.length) return;
    const dialog = document.createElement("dialog");
    dialog.className = "lightbox";
    dialog.addEventListener("click", () => dialog.close());
    document.body.append(dialog);
    for (const picture of pictures) {
      picture.tabIndex = 0;
      picture.setAttribute("role", "button");
      picture.setAttribute("aria-haspopup", "dialog");
      const open = () => {
        const large = document.createElement("img");
        large.src = picture.src;
        large.alt = picture.alt;
        const said = document.createElement("p");
        said.textContent = picture.alt;
        const close = document.createElement("button");
        close.type = "button";
        close.textContent = "Close";
        dialog.setAttribute("aria-label", picture.alt);
        dialog.replaceChildren(large, said, close);
        dialog.showModal();
      };
      picture.addEventListener("click", open);
      picture.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        open();
      });
    }
  };

  // ---- from one average to the other
  const blends = () => {
    for (const blend of all(".blend")) {
      const [, upper] = all("img", blend), range = blend.querySelector("input");
      if (!upper) continue;
      const set = () => { upper.style.opacity = range.value / 100; };
      range.addEventListener("input", set);
      set();
    }
  };

  // ---- what folds a note or a part of the list of pages can be pressed with the keyboard, too
  const folds = () => {
    for (const header of all("main .callout-header[role='button'], .sidebar a[role='button']")) {
      header.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        header.click();
      });
    }
  };

  // ---- what a link leads to is shown, also within a tab or a folded note
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    let opened = false;
    for (let part = target.parentElement; part; part = part.parentElement) {
      const closed = part.matches(".tab-pane:not(.active), .callout-collapse:not(.show)");
      const opener = closed && part.id && all("[data-bs-target], [href]").find((each) => [each.dataset.bsTarget, each.getAttribute("href")].includes(`#${part.id}`));
      if (!opener) continue;
      opener.click();
      opened = true;
    }
    if (opened) setTimeout(() => target.scrollIntoView(), 400); // once it has unfolded
  };

  const start = () => {
    window.addEventListener("hashchange", reveal);
    window.addEventListener("load", reveal);
    folds();
    terms();
    enlarge();
    blends();
    contents();
    switches(); // before spaces are changed: it reads what figures say
    together();
    for (const place of all(".chart .drawing")) seen.observe(place);
    for (const figure of all(".chart.interactive")) met.observe(figure);
    narrow.addEventListener("change", again);
    let dark = isDark();
    const watch = new MutationObserver(() => {
      if (isDark() === dark) return;
      dark = isDark();
      document.dispatchEvent(new CustomEvent("meanface:scheme"));
      again();
    });
    for (const part of [document.documentElement, document.body]) watch.observe(part, { attributeFilter: ["class"] });
  };
  start(); // deferred: the page is parsed
})();
