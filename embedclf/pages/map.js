(() => {
  "use strict";
  const SIDE = 65535, CELL = 512, MOST_LISTED = 100, FEW_LABELS = 12, STRIP = 44, MOST_NAMES = 200, NEAR = 14;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const { x, y, texts, labels } = data;
  // The label of each text by which it is coloured: its own, or the one that is predicted.
  let of = data.of;
  const n = x.length, hasLabels = labels.length > 1 || labels[0] !== "";
  const canvas = byId("canvas"), box = byId("map");
  // The script writes single pixels, which is slow if the canvas is in the memory of a graphics card.
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const number = (count) => count.toLocaleString("en");
  const counted = (count, thing) => `${number(count)} ${thing}${count === 1 ? "" : "s"}`;
  const named = (label) => labels[label] || "no label";
  const file = (row) => data.source_of ? data.source[data.source_of[row]] : data.source;
  const place = (row) => data.lines.length ? `${file(row)}:${data.lines[row]}` : `text ${row + 1}`;

  // --- colours ---
  const darkness = matchMedia("(prefers-color-scheme: dark)");
  let printing = false, style = {}, colours = [];
  const whole = (hex) => {
    const digits = hex.length === 4 ? [...hex.slice(1)].map((one) => one + one).join("") : hex.slice(1);
    return parseInt(digits, 16);
  };
  const readColours = () => {
    const dark = darkness.matches && !printing;
    const read = getComputedStyle(document.documentElement);
    const names = ["paper", "ink", "faint", "dim", "accent"];
    // Before printing, the computed style still has the colours of the screen, so those of paper are repeated here.
    const printed = { paper: "#fff", ink: "#1b1f24", faint: "#57606a", dim: "#d9dde2", accent: "#0b5cad" };
    style = printing ? printed : Object.fromEntries(names.map((name) => [name, read.getPropertyValue(`--${name}`).trim()]));
    const palette = dark ? data.night : data.day;
    colours = labels.map((label, one) => label ? palette[one % palette.length] : hasLabels ? style.faint : style.accent);
    for (const dot of document.querySelectorAll("[data-label]")) dot.style.background = colours[dot.dataset.label];
  };

  // --- highlighted points: those that match the chosen label and the search ---
  const lowered = texts.map((text) => text.toLowerCase());
  const lit = new Uint8Array(n).fill(1), suspected = new Uint8Array(n), litOf = new Uint32Array(labels.length);
  for (const row of data.suspected) suspected[row] = 1;
  // `lassoed` has a one for each text within the lasso; null if there is none.
  let nLit = n, single = -1, searched = "", lassoed = null, onlySuspected = false;

  // --- a drawing order in which no label covers all others, and a grid for finding points ---
  let stride = Math.max(1, Math.floor(n * 0.618));
  const divides = (a, b) => b ? divides(b, a % b) : a;
  while (divides(stride, n) !== 1) stride += 1;
  const order = Uint32Array.from({ length: n }, (_, place) => (place * stride) % n);
  const across = Math.ceil((SIDE + 1) / CELL);
  const cell = (at) => Math.min(across - 1, Math.max(0, Math.floor(at / CELL)));
  const starts = new Uint32Array(across * across + 1);
  for (let row = 0; row < n; row += 1) starts[cell(y[row]) * across + cell(x[row]) + 1] += 1;
  for (let at = 1; at < starts.length; at += 1) starts[at] += starts[at - 1];
  const filled = starts.slice(), inCells = new Uint32Array(n);
  for (let row = 0; row < n; row += 1) inCells[filled[cell(y[row]) * across + cell(x[row])]++] = row;

  // The position of a label's name: the mean of its points within the grid cell that has most of them.
  const anchors = labels.map(() => null), counts = labels.map(() => 0);
  const countLabels = () => {
    const parts = labels.map(() => new Map()), size = SIDE / 16;
    for (let row = 0; row < n; row += 1) {
      const key = Math.floor(y[row] / size) * 64 + Math.floor(x[row] / size), part = parts[of[row]];
      const sum = part.get(key) ?? [0, 0, 0];
      part.set(key, [sum[0] + 1, sum[1] + x[row], sum[2] + y[row]]);
    }
    parts.forEach((part, label) => {
      counts[label] = 0;
      for (const [count] of part.values()) counts[label] += count;
      if (!counts[label]) return;
      const [count, sumX, sumY] = [...part.values()].reduce((best, one) => one[0] > best[0] ? one : best);
      anchors[label] = [sumX / count, sumY / count];
    });
  };

  // --- view: a point (x, y) is at scale * x + left, scale * y + top ---
  let width = 1, height = 1, ratio = 1, fitted = 1, scale = 1, left = 0, top = 0, image = null, pixels = null;
  let low = [Infinity, Infinity], far = [-Infinity, -Infinity];
  for (let row = 0; row < n; row += 1) {
    far = [Math.max(far[0], x[row]), Math.max(far[1], y[row])];
    low = [Math.min(low[0], x[row]), Math.min(low[1], y[row])];
  }
  const fit = () => {
    // The strip at the bottom is reserved for buttons.
    const pad = Math.min(36, width / 12), free = height - STRIP;
    fitted = Math.min((width - 2 * pad) / Math.max(far[0] - low[0], 1), (free - 2 * pad) / Math.max(far[1] - low[1], 1));
    // Limits the zoom if all points are at nearly the same position.
    fitted = Math.max(Math.min(fitted, 4 * Math.min(width, height) / SIDE), 1e-4);
    scale = fitted;
    left = (width - scale * (low[0] + far[0])) / 2;
    top = (free - scale * (low[1] + far[1])) / 2;
  };
  const keepInSight = () => {
    // Keep the centre of the view within the map.
    left = Math.min(width / 2 - scale * low[0], Math.max(width / 2 - scale * far[0], left));
    top = Math.min(height / 2 - scale * low[1], Math.max(height / 2 - scale * far[1], top));
  };
  const zoom = (factor, atX = width / 2, atY = height / 2) => {
    const next = Math.min(fitted * 600, Math.max(fitted, scale * factor));
    left = atX - (atX - left) * next / scale;
    top = atY - (atY - top) * next / scale;
    scale = next;
    if (scale === fitted) fit(); else keepInSight();
    moved();
  };
  const move = (byX, byY) => { left += byX; top += byY; keepInSight(); moved(); };
  const moved = () => { point(-1); redraw(); };
  const radius = () => {
    const usual = Math.min(5, Math.max(1.7, 0.2 * Math.sqrt(width * height / n)));
    return Math.min(8, usual * (scale / fitted) ** 0.3);
  };

  // --- drawing: pixel by pixel, which is equally fast with and without a graphics card ---
  const abgr = (hex) => {
    const rgb = whole(hex);
    return (0xff000000 | (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16) >>> 0;
  };
  const disc = (r, opacity) => {
    const reach = Math.ceil(r + 1), parts = [];
    for (let dy = -reach; dy <= reach; dy += 1)
      for (let dx = -reach; dx <= reach; dx += 1) {
        const share = opacity * Math.min(1, Math.max(0, r + 0.5 - Math.hypot(dx, dy)));
        if (share > 0.02) parts.push([dx, dy, Math.round(256 * share)]);
      }
    return { reach, parts };
  };
  const splat = (row, { reach, parts }, colour) => {
    const atX = Math.round(ratio * (scale * x[row] + left)), atY = Math.round(ratio * (scale * y[row] + top));
    const wide = canvas.width, high = canvas.height;
    if (atX < -reach || atY < -reach || atX >= wide + reach || atY >= high + reach) return;
    const red = colour & 0xff00ff, green = colour & 0xff00;
    for (let at = 0; at < parts.length; at += 1) {
      const part = parts[at], px = atX + part[0], py = atY + part[1];
      if (px < 0 || py < 0 || px >= wide || py >= high) continue;
      const index = py * wide + px, share = part[2], rest = 256 - share, below = pixels[index];
      pixels[index] = 0xff000000 | ((red * share + (below & 0xff00ff) * rest) / 256 & 0xff00ff)
        | ((green * share + (below & 0xff00) * rest) >>> 8 & 0xff00);
    }
  };
  const draw = () => {
    pixels.fill(abgr(style.paper));
    const r = radius() * ratio, all = nLit === n;
    const bright = disc(all ? r : Math.max(r, Math.min(1.35 * r, 5 * ratio)), n > 200 ? 0.85 : 0.95), dim = disc(Math.max(ratio, 0.8 * r), 1);
    const inks = colours.map(abgr), pale = abgr(style.dim);
    if (!all) for (const row of order) if (!lit[row]) splat(row, dim, pale);
    for (const row of order) if (lit[row]) splat(row, bright, inks[of[row]]);
    context.putImageData(image, 0, 0);
    drawRings();
    if (hasLabels && byId("names").checked) drawNames();
    document.documentElement.dataset.drawn = "yes";
  };
  const drawRings = () => {
    if (!data.suspected.length) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.lineWidth = 1.5;
    context.strokeStyle = style.ink;
    for (const row of data.suspected) {
      if (!lit[row]) continue;
      context.beginPath();
      context.arc(scale * x[row] + left, scale * y[row] + top, radius() + 2.5, 0, 2 * Math.PI);
      context.stroke();
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  };
  const short = (name) => {
    const letters = [...name.replace(/\s+/g, " ")];
    return letters.length <= 30 ? letters.join("") : `${letters.slice(0, 17).join("")}…${letters.slice(-12).join("")}`;
  };
  const drawNames = () => {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = labels.length > 24 ? "500 11px system-ui, sans-serif" : "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = style.paper;
    context.fillStyle = style.ink;
    const taken = [];
    for (let label = 0; label < Math.min(labels.length, MOST_NAMES); label += 1) {
      if (!labels[label] || !litOf[label]) continue;
      const name = short(labels[label]), half = (widths[label] ??= context.measureText(name).width) / 2 + 3;
      const atX = Math.min(width - half - 2, Math.max(half + 2, scale * anchors[label][0] + left));
      const atY = scale * anchors[label][1] + top;
      if (Math.abs(atX - scale * anchors[label][0] - left) > half || atY < 8 || atY > height - 8) continue;
      if (taken.some(([otherX, otherY, other]) => Math.abs(atX - otherX) < half + other && Math.abs(atY - otherY) < 24)) continue;
      taken.push([atX, atY, half]);
      context.strokeText(name, atX, atY);
      context.fillText(name, atX, atY);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  };
  const widths = [];
  let waiting = false;
  const redraw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };
  const resize = () => {
    if (!box.clientWidth || !box.clientHeight || printing) return;
    const wasWhole = scale === fitted, middle = [(width / 2 - left) / scale, (height / 2 - top) / scale], before = scale / fitted;
    width = box.clientWidth;
    height = box.clientHeight;
    ratio = Math.min(devicePixelRatio || 1, 2);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    image = context.createImageData(canvas.width, canvas.height);
    pixels = new Uint32Array(image.data.buffer);
    fit();
    if (!wasWhole) {
      scale = fitted * before;
      left = width / 2 - scale * middle[0];
      top = height / 2 - scale * middle[1];
    }
    point(-1);
    draw();
  };

  // --- finding points ---
  const around = (atX, atY, reach) => {
    const px = (atX - left) / scale, py = (atY - top) / scale, r = reach / scale, found = [];
    for (let down = cell(py - r); down <= cell(py + r); down += 1)
      for (let right = cell(px - r); right <= cell(px + r); right += 1)
        for (let at = starts[down * across + right]; at < starts[down * across + right + 1]; at += 1) {
          const row = inCells[at], away = Math.hypot(x[row] - px, y[row] - py) * scale;
          if (lit[row] && away <= reach) found.push([away, row]);
        }
    // By distance in pixels; ties in the order of the file.
    return found.sort((one, other) => Math.round(one[0]) - Math.round(other[0]) || one[1] - other[1]).map((one) => one[1]);
  };
  const underneath = (row) => around(scale * x[row] + left, scale * y[row] + top, Math.max(1.5, radius() / 2));

  // --- pointing ---
  const tip = byId("tip"), ring = byId("ring");
  let pointed = -1;
  const element = (kind, name, text) => {
    const made = document.createElement(kind);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const dotOf = (label) => {
    const dot = element("span", "dot");
    dot.dataset.label = label;
    dot.style.background = colours[label];
    return dot;
  };
  // Lets long names wrap after punctuation rather than within a word.
  const nameOf = (label) => {
    const name = element("bdi", "name");
    for (const part of named(label).split(/(?<=[_:./-])/)) name.append(part, element("wbr"));
    return name;
  };
  const described = (row) => {
    const head = element("span", "of"), text = element("span", "text", texts[row]);
    if (hasLabels) {
      const label = element("span", "named");
      label.append(dotOf(data.of[row]), nameOf(data.of[row]));
      head.append(label);
    }
    head.append(element("span", "place", place(row)));
    if (data.predicted.length && data.predicted[row] !== data.of[row]) {
      const answer = element("span", "named");
      answer.append("predicted", dotOf(data.predicted[row]), nameOf(data.predicted[row]), `${data.confidence[row]} %`);
      head.append(answer);
    }
    text.dir = "auto";
    return [head, text];
  };
  const point = (row, withTip = true) => {
    if (row === pointed && row < 0) return;
    pointed = row;
    ring.hidden = row < 0;
    tip.hidden = row < 0 || !withTip;
    if (row < 0) return;
    const atX = scale * x[row] + left, atY = scale * y[row] + top, r = radius() + 4;
    ring.hidden = atX < 0 || atY < 0 || atX > width || atY > height;
    ring.style.width = ring.style.height = `${2 * r}px`;
    ring.style.transform = `translate(${atX - r}px, ${atY - r}px)`;
    if (!withTip) return;
    tip.replaceChildren(...described(row));
    const others = underneath(row).length - 1;
    if (others > 0) tip.append(element("p", "", `and ${counted(others, "more text")} here (click to list all)`));
    const from = box.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const across = from.left + atX, down = from.top + atY, gap = r + 8;
    const tipX = across + gap + size.width < innerWidth - 8 ? across + gap : Math.max(8, across - gap - size.width);
    const tipY = Math.max(8, Math.min(innerHeight - 8 - size.height, down - size.height / 2));
    // If the tooltip fits on neither side, it goes above or below.
    const covers = tipX < across + r && tipX + size.width > across - r;
    const above = down - gap - size.height > 8 ? down - gap - size.height : down + gap;
    tip.style.transform = `translate(${Math.round(tipX)}px, ${Math.round(covers ? above : tipY)}px)`;
  };

  // --- the list of texts ---
  let listed = [];
  const list = (rows, what) => {
    listed = rows;
    byId("which").textContent = rows.length > MOST_LISTED ? `${what}: first ${MOST_LISTED} of ${number(rows.length)}` : what;
    byId("texts").replaceChildren(...rows.slice(0, MOST_LISTED).map((row) => {
      const item = element("li"), button = element("button");
      button.type = "button";
      button.append(...described(row));
      button.addEventListener("pointerenter", () => point(row, false));
      button.addEventListener("focus", () => point(row, false));
      button.addEventListener("pointerleave", () => point(-1));
      button.addEventListener("blur", () => point(-1));
      button.addEventListener("click", () => {
        scale = Math.max(scale, fitted * 6);
        left = width / 2 - scale * x[row];
        top = height / 2 - scale * y[row];
        draw();
        point(row, false);
      });
      item.append(button);
      return item;
    }));
    byId("texts").scrollTop = 0;
    byId("found").hidden = false;
  };
  const listLit = () => {
    if (nLit === n || !nLit) { byId("found").hidden = true; return; }
    const rows = [];
    for (let row = 0; row < n; row += 1) if (lit[row]) rows.push(row);
    list(rows, lassoed ? "Selected texts" : searched ? "Search results" : onlySuspected ? "Suspected rows" : "Texts");
  };

  // --- the legend and the search ---
  const legend = byId("legend");
  const buttons = labels.map((label, at) => {
    const item = element("li"), button = element("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(dotOf(at), nameOf(at), element("span", "count"));
    button.addEventListener("click", () => { single = single === at ? -1 : at; light(); });
    item.append(button);
    legend.append(item);
    return button;
  });
  const light = () => {
    nLit = 0;
    litOf.fill(0);
    for (let row = 0; row < n; row += 1) {
      lit[row] = (single < 0 || of[row] === single) && (!searched || lowered[row].includes(searched))
        && (!lassoed || lassoed[row]) && (!onlySuspected || suspected[row]);
      nLit += lit[row];
      litOf[of[row]] += lit[row];
    }
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === single)));
    byId("suspected").setAttribute("aria-pressed", String(onlySuspected));
    legend.classList.toggle("one", single >= 0);
    byId("all").hidden = nLit === n && single < 0;
    byId("shown").textContent = nLit === n ? counted(n, "text") : `${number(nLit)} of ${counted(n, "text")}`;
    point(-1);
    redraw();
    listLit();
    if (single >= 0) buttons[single].scrollIntoView({ block: "nearest" });
  };
  const showAll = () => {
    single = -1;
    lassoed = null;
    onlySuspected = false;
    searched = byId("search").value = "";
    light();
  };
  byId("all").addEventListener("click", () => { showAll(); byId("search").focus(); });
  byId("close").addEventListener("click", () => { byId("found").hidden = true; byId("search").focus(); });
  byId("search").addEventListener("input", () => { searched = byId("search").value.trim().toLowerCase(); light(); });
  byId("filter").addEventListener("input", () => {
    const part = byId("filter").value.trim().toLowerCase();
    buttons.forEach((button, at) => { button.parentNode.hidden = !counts[at] || !named(at).toLowerCase().includes(part); });
  });
  byId("names").addEventListener("change", redraw);
  const colourBy = () => {
    of = data[byId("colour").value];
    single = -1;
    countLabels();
    buttons.forEach((button, at) => { button.querySelector(".count").textContent = number(counts[at]); });
    byId("filter").dispatchEvent(new Event("input"));
    light();
  };
  byId("colour").addEventListener("change", colourBy);
  byId("suspected").addEventListener("click", () => { onlySuspected = !onlySuspected; light(); });
  byId("copy").addEventListener("click", async () => {
    const lines = listed.map(place).join("\n");
    try {
      await navigator.clipboard.writeText(lines);
    } catch {
      // Not every browser lets a file from disk write to the clipboard that way.
      const area = byId("map").appendChild(element("textarea"));
      area.value = lines;
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    byId("shown").textContent = `${counted(listed.length, "line")} copied`;
  });

  // --- mouse, touch, wheel, keyboard ---
  const fingers = new Map();
  let started = null, loop = null;
  const drawLoop = () => {
    byId("loop").hidden = !loop;
    byId("loop").firstElementChild.setAttribute("d", loop ? `M${loop.map((one) => one.map(Math.round)).join("L")}Z` : "");
  };
  // A text is inside if a line from it to the right crosses the loop an odd number of times.
  const isInside = (px, py) => {
    let inside = false;
    loop.forEach(([x1, y1], place) => {
      const [x2, y2] = loop[(place + 1) % loop.length];
      if ((y1 > py) !== (y2 > py) && px < (x2 - x1) * (py - y1) / (y2 - y1) + x1) inside = !inside;
    });
    return inside;
  };
  const closeLoop = () => {
    if (loop.length > 2) {
      lassoed = null;
      const within = new Uint8Array(n);
      let count = 0;
      for (let row = 0; row < n; row += 1) {
        within[row] = isInside(scale * x[row] + left, scale * y[row] + top);
        count += within[row];
      }
      if (count) lassoed = within;
    }
    loop = null;
    drawLoop();
    light();
  };
  byId("lasso").addEventListener("click", () => {
    byId("lasso").setAttribute("aria-pressed", String(byId("lasso").getAttribute("aria-pressed") !== "true"));
  });
  const at = (event) => {
    const from = canvas.getBoundingClientRect();
    return [event.clientX - from.left, event.clientY - from.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    started = fingers.size === 1 ? at(event) : null;
    const lassoes = event.shiftKey || byId("lasso").getAttribute("aria-pressed") === "true";
    loop = started && lassoes ? [started] : null;
    if (loop) point(-1);
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event), before = fingers.get(event.pointerId);
    if (!before) {
      const [nearest = -1] = around(now[0], now[1], NEAR);
      if (nearest !== pointed) point(nearest);
      return;
    }
    if (loop && fingers.size === 1) {
      loop.push(now);
      drawLoop();
      return;
    }
    loop = null;
    drawLoop();
    if (fingers.size === 2) {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, where]) => where);
      const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
      move((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
      if (apart(before) > 1) zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else if (!started || Math.hypot(now[0] - started[0], now[1] - started[1]) > 4) {
      started = null;
      canvas.classList.add("dragged");
      move(now[0] - before[0], now[1] - before[1]);
    } else return;
    fingers.set(event.pointerId, now);
  });
  const lifted = (event) => {
    fingers.delete(event.pointerId);
    canvas.classList.remove("dragged");
    if (loop?.length > 2) { closeLoop(); started = null; return; }
    loop = null;
    if (event.type === "pointerup" && started) {
      const rows = around(...started, NEAR);
      if (rows.length) {
        // List the texts at exactly this spot, or nearby ones if there is only one here.
        const same = underneath(rows[0]);
        list(same.length > 1 ? same : rows, same.length > 1 ? "Texts at this spot" : rows.length > 1 ? "Nearby texts" : "Text");
        point(rows[0]);
      } else { listLit(); point(-1); }
    }
    started = null;
  };
  canvas.addEventListener("pointerup", lifted);
  canvas.addEventListener("pointercancel", lifted);
  canvas.addEventListener("pointerleave", () => { if (!fingers.size) point(-1); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    zoom(Math.exp(-Math.max(-300, Math.min(300, event.deltaY * lines)) * 0.0022), ...at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (keys[event.key]) move(...keys[event.key]);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "0") { fit(); moved(); } else return;
    event.preventDefault();
  });
  byId("in").addEventListener("click", () => zoom(1.6));
  byId("out").addEventListener("click", () => zoom(1 / 1.6));
  byId("whole").addEventListener("click", () => { fit(); moved(); });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    point(-1);
    byId("lasso").setAttribute("aria-pressed", "false");
    if (nLit < n || single >= 0) showAll();
  });

  // --- dark mode and print ---
  const repaint = () => { readColours(); draw(); };
  darkness.addEventListener("change", repaint);
  addEventListener("beforeprint", () => { printing = true; repaint(); });
  addEventListener("afterprint", () => { printing = false; resize(); repaint(); });

  const nLabels = new Set(data.of.filter((label) => labels[label])).size;
  byId("by").hidden = !data.predicted.length;
  if (data.predicted.length && !nLabels) byId("colour").value = "predicted";
  byId("suspected").hidden = !data.suspected.length;
  byId("suspected").textContent = counted(data.suspected.length, "suspected row");
  byId("size").textContent = `${counted(n, "text")}${nLabels ? `, ${counted(nLabels, "label")}` : ""}.`;
  byId("labels").hidden = byId("naming").hidden = !hasLabels;
  document.querySelector(".filter").hidden = labels.length <= FEW_LABELS;
  // Browsers keep the values of form fields when the page is reloaded.
  searched = byId("search").value.trim().toLowerCase();
  readColours();
  countLabels();
  new ResizeObserver(resize).observe(box);
  resize();
  colourBy();
})();
