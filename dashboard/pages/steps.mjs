// Numbered steps, each a question with its answer and numbers: a list of buttons of which one is open.

export function render({ model }) {
  const list = document.createElement("ol");
  const buttons = model.steps.map(({ key, question, answer, numbers }, at) => {
    const button = document.createElement("button");
    button.type = "button";
    for (const [name, text] of Object.entries({ number: String(at + 1), question, answer, numbers })) {
      const part = document.createElement("span");
      part.className = name;
      part.textContent = text;
      button.append(part);
    }
    button.addEventListener("click", () => { model.open = key; });
    const item = document.createElement("li");
    item.append(button);
    list.append(item);
    return button;
  });
  const show = () => model.steps.forEach(({ key }, at) => {
    if (key === model.open) buttons[at].setAttribute("aria-current", "step");
    else buttons[at].removeAttribute("aria-current");
  });
  model.on("open", show);
  show();
  return list;
}
