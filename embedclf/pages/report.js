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
  const tipOf = (over, x, y) => {
    tip.hidden = !over;
    if (!over) return;
    tip.textContent = over.dataset.tip;
    const left = Math.min(x + 14, innerWidth - tip.offsetWidth - 8);
    const below = y + 18 + tip.offsetHeight < innerHeight;
    tip.style.transform = `translate(${Math.max(8, left)}px, ${y + (below ? 18 : -tip.offsetHeight - 12)}px)`;
  };
  document.addEventListener("pointermove", (event) => tipOf(event.target.closest?.("[data-tip]"), event.clientX, event.clientY));
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
    const points = slider.dataset.points.split("|").map((point) => point.split(";"));
    const now = slider.closest("section").querySelector(".now");
    const show = () => {
      const [x, y, ...figures] = points[input.value];
      says.textContent = slider.dataset.said.replace(/\{(\d)\}/g, (_, place) => figures[place]);
      input.setAttribute("aria-valuetext", says.textContent);
      now.setAttribute("transform", `translate(${x} ${y})`);
    };
    now.removeAttribute("visibility");
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
        const fits = selects.every((select) => !select.value || one.row.dataset[select.name].split(" ").includes(select.value)) && one.text.includes(search);
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

    // Each matrix is one stop of the Tab key. Left and Right go from cell to cell, Up and Down to the nearest in the next row.
    for (const matrix of all("svg.matrix:has([data-label])")) {
      const cells = all("[data-label]", matrix);
      matrix.setAttribute("role", "group");
      const row = (cell) => Number(cell.dataset.label), column = (cell) => Number(cell.dataset.predicted);
      const go = (cell) => {
        for (const one of cells) one.setAttribute("tabindex", one === cell ? 0 : -1);
        return cell;
      };
      for (const cell of cells) {
        cell.setAttribute("role", "button");
        cell.setAttribute("aria-label", cell.dataset.tip);
        cell.addEventListener("focus", () => {
          if (!cell.matches(":focus-visible")) return;
          cell.scrollIntoView({ block: "nearest", inline: "nearest" });
          const { right, bottom } = cell.getBoundingClientRect();
          tipOf(cell, right - 14, bottom - 14);
        });
        cell.addEventListener("blur", () => { tip.hidden = true; });
      }
      matrix.addEventListener("keydown", (event) => {
        const cell = event.target.closest("[data-label]");
        if (!cell || event.ctrlKey || event.altKey || event.metaKey) return;
        const place = cells.indexOf(cell), down = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
        let next = null;
        if (event.key === "ArrowRight") next = cells[place + 1];
        else if (event.key === "ArrowLeft") next = cells[place - 1];
        else if (event.key === "Home") next = cells[0];
        else if (event.key === "End") next = cells.at(-1);
        else if (event.key === "Enter" || event.key === " ") cell.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        else if (down) {
          const beyond = cells.filter((one) => (row(one) - row(cell)) * down > 0);
          const distance = (one) => Math.abs(row(one) - row(cell)) * cells.length + Math.abs(column(one) - column(cell));
          next = beyond.sort((one, other) => distance(one) - distance(other))[0];
        } else return;
        event.preventDefault();
        if (next) go(next).focus();
      });
      go(cells[0]);
    }
    for (const hint of all(".hint")) hint.hidden = false;
  }

  // Collapsed tables are expanded for print, since they cannot be clicked there.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details.figures:not([open])");
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
})();
