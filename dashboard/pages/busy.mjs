// Shows that the server is at work, from the moment at which the browser tells it of an act until it has answered. Parts
// of the page that follow have the class "follows"; theme.css draws the line above them. See Busy in busy.py.

const MOST = 30000; // milliseconds: a server that has not answered by then will not

export function render({ model, view }) {
  const bokeh = view.model.document;
  let asking = false, marked = [], timer = 0;

  // Components are in shadow roots, which selectors do not reach.
  function parts(within, found = []) {
    for (const element of within.querySelectorAll("*")) {
      if (element.classList.contains("follows")) found.push(element);
      if (element.shadowRoot) parts(element.shadowRoot, found);
    }
    return found;
  }

  function rest() {
    clearTimeout(timer);
    for (const part of marked) part.removeAttribute("aria-busy");
    marked = [];
  }

  // Plots tell of their sizes and colours, too, and components ask for what comes into sight: neither is an act.
  const Data = Object.getPrototypeOf(view.model.data.constructor);
  const isAct = ({ kind, model: changed, msg_data }) => kind === "ModelChanged"
    ? changed instanceof Data && changed !== view.model.data
    : kind === "MessageSent" && !["data_event", "document_ready"].includes(msg_data?.event_name);

  function heard(event) {
    if (asking || !event.sync || !isAct(event)) return;
    asking = true;
    if (!marked.length) marked = parts(document);
    for (const part of marked) part.setAttribute("aria-busy", "true");
    clearTimeout(timer);
    timer = setTimeout(rest, MOST);
    // After what it tells of: the server answers in the order in which it is asked.
    queueMicrotask(() => { asking = false; model.asked += 1; });
  }

  const done = () => { if (model.done === model.asked) rest(); };
  bokeh.on_change(heard, false);
  model.on("done", done);
  return () => { bokeh.remove_on_change(heard); rest(); };
}
