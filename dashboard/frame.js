// What concerns a page as a whole: its theme, its history, its skip link, and the moment when it is complete.
// Written into the page (see shell.html), so that the theme is right before anything is shown.
(() => {
  const root = document.documentElement;
  // Where the report's two renderers keep what was chosen there: it holds here, too, and the other way round.
  const KEYS = ["smalldocs-scheme", "quarto-color-scheme"], DARK = "alternate", LIGHT = "default";
  const system = matchMedia("(prefers-color-scheme: dark)");

  function kept() {
    try {
      return KEYS.map((key) => localStorage.getItem(key)).find((chosen) => [DARK, LIGHT].includes(chosen));
    } catch { return undefined; } // a browser may refuse to keep anything
  }

  // panel-material-ui follows the attribute in every component, once it is drawn. The cookie, which goes along when this
  // page opens its session, lets the server send components that are right at once (see sessions.py).
  function show(dark) {
    root.dataset.theme = dark ? "dark" : "light";
    document.cookie = `meanface-theme=${root.dataset.theme}; path=/; max-age=600; SameSite=Strict`;
  }

  function showTheme() {
    const chosen = kept();
    show(chosen ? chosen === DARK : system.matches);
  }

  function toggleTheme() {
    const dark = root.dataset.theme !== "dark";
    try { for (const key of KEYS) localStorage.setItem(key, dark ? DARK : LIGHT); } catch { /* it holds for this page */ }
    show(dark);
  }

  showTheme();
  system.addEventListener("change", showTheme);
  addEventListener("storage", showTheme); // chosen in another tab

  // Panel's Location adds an entry for every change, that of going back included, and one for the address that it
  // completes when the page opens: neither is a step that a visitor took.
  let acted = false;
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { acted = true; }, { capture: true });
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    if (new URL(url, location.href).href === location.href) return;
    if (acted) push(state, title, url);
    else history.replaceState(state, title, url);
  };
  addEventListener("popstate", () => {
    for (const document of Bokeh.documents) {
      for (const model of document.all_models) {
        if (model.type.endsWith("Location")) model.search = location.search;
      }
    }
  });

  // Components are in shadow roots, which neither selectors nor addresses reach.
  function find(selector, within) {
    for (const element of within.querySelectorAll("*")) {
      if (element.matches(selector)) return element;
      const found = element.shadowRoot && find(selector, element.shadowRoot);
      if (found) return found;
    }
    return null;
  }

  const heading = () => [...document.querySelectorAll("[data-root-id]")].map((each) => find("h1", each)).find(Boolean);

  document.addEventListener("click", (event) => {
    const act = event.composedPath().find((element) => element.dataset?.act)?.dataset.act;
    if (act === "theme") toggleTheme();
    if (act === "skip") {
      event.preventDefault();
      const target = heading();
      target?.setAttribute("tabindex", "-1");
      target?.focus();
    }
  });

  (function wait() {
    const view = window.Bokeh?.index?.roots?.[0];
    if (view?.is_idle && heading()?.offsetHeight) document.getElementById("shell").remove();
    else setTimeout(wait, 50);
  })();
})();
