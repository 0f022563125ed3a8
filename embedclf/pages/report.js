(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const number = (count) => count.toLocaleString("en");

  // --- tooltips: those of the drawings, but at once, and beside the pointer ---
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);
  for (const title of all("svg g > title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  document.addEventListener("pointermove", (event) => {
    const over = event.target.closest?.("[data-tip]");
    tip.hidden = !over;
    if (!over) return;
    tip.textContent = over.dataset.tip;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18 + tip.offsetHeight < innerHeight;
    tip.style.transform = `translate(${Math.max(8, left)}px, ${event.clientY + (below ? 18 : -tip.offsetHeight - 12)}px)`;
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { capture: true, passive: true });

  // --- a large matrix, in part or whole ---
  for (const button of all(".zoom")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const whole = button.nextElementSibling.classList.toggle("whole");
      button.textContent = whole ? "Actual size" : "Fit to width";
      button.setAttribute("aria-pressed", whole);
    });
  }

  // --- the threshold ---
  for (const slider of all(".slider")) {
    const input = slider.querySelector("input"), says = slider.querySelector("output");
    const points = JSON.parse(slider.dataset.points);
    const dots = all(".dot", slider.closest("section"));
    const show = () => {
      says.textContent = points[input.value];
      dots.forEach((dot, at) => dot.classList.toggle("now", at === Number(input.value)));
    };
    slider.querySelector("label").hidden = false;
    input.addEventListener("input", show);
    show();
  }

  // --- the list of rows ---
  const form = document.getElementById("filters");
  if (form) {
    form.hidden = false;
    const table = document.getElementById("rows"), shown = document.getElementById("shown");
    const rows = all("tbody tr", table).map((row) => ({ row, text: row.cells[0].textContent.toLowerCase() }));
    const selects = all("select", form);
    const filter = () => {
      const search = form.elements.search.value.trim().toLowerCase();
      let count = 0;
      for (const one of rows) {
        const fits = selects.every((select) => !select.value || one.row.dataset[select.name] === select.value) && one.text.includes(search);
        one.row.hidden = !fits;
        count += fits;
      }
      shown.textContent = `${number(count)} of ${number(rows.length)} row${rows.length === 1 ? "" : "s"}`;
      table.hidden = !count;
      document.getElementById("nothing").hidden = Boolean(count);
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", filter);
    form.addEventListener("reset", () => setTimeout(filter));
    // Browsers keep the values of form fields when the page is reloaded.
    filter();
    // What names a label and another shows the rows of both: a cell of the matrix, or a link.
    document.addEventListener("click", (event) => {
      const clicked = event.target.closest("svg [data-label], a[data-label]");
      if (!clicked) return;
      event.preventDefault();
      form.reset();
      for (const select of selects) select.value = clicked.dataset[select.name] ?? "";
      filter();
      form.scrollIntoView();
      selects[0].focus({ preventScroll: true });
    });
  }

  // Collapsed tables are expanded for print, since they cannot be clicked there.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details.figures:not([open])");
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
})();
