// Progress: the counts, and how well a classifier does with the labels so far.

// Everything is built with text nodes: no label, text or message is ever read as HTML.
const at = (id) => document.getElementById(id);
const several = document.documentElement.dataset.several === "true";
const number = (count) => count.toLocaleString("en");
const counted = (count, thing) => `${number(count)} ${thing}${count === 1 ? "" : "s"}`;
const share = (value) => `${(100 * value).toFixed(1)}\u00a0%`;
const between = ({ low, high }) => `${(100 * low).toFixed(1)} to ${share(high)}`;

function element(name, content = [], attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
}

function drawn(name, attributes, content = []) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
}

// Round values between two others, about as many as are wanted.
function ticks(low, high, most) {
  const least = (high - low) / most, power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= least * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
}

function curveOf(points, measure) {
  const WIDTH = 340, HEIGHT = 190, left = 46, right = 330, top = 10, bottom = 152;
  const most = points.at(-1).n_labels, least = points.length > 1 ? points[0].n_labels : 0;
  const low = Math.max(0, Math.min(...points.map((one) => one.low)) - 0.02);
  const high = Math.min(1, Math.max(...points.map((one) => one.high)) + 0.02);
  const x = (count) => left + ((count - least) / (most - least)) * (right - left);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  const line = (places) => `M${places.map(([across, up]) => `${across.toFixed(1)} ${up.toFixed(1)}`).join("L")}`;
  const up = ticks(low, high, 4), across = ticks(least, most, 5).filter(Number.isInteger);
  const decimals = up.some((value) => Math.abs(100 * value - Math.round(100 * value)) > 1e-6) ? 1 : 0;
  const text = (said, attributes) => drawn("text", attributes, said);
  const last = points.at(-1);
  const middle = points.map((one) => [x(one.n_labels), y(one.accuracy)]);
  const band = [
    ...points.map((one) => [x(one.n_labels), y(one.high)]), ...points.toReversed().map((one) => [x(one.n_labels), y(one.low)])];
  const told = points.filter((_, place) => (points.length - 1 - place) % Math.ceil(points.length / 6) === 0);
  const name = `${measure} against the number of labels: ${
    told.map((one) => `${share(one.accuracy)} with ${number(one.n_labels)}`).join("; ")}.`;
  return drawn("svg", { class: "drawing", role: "img", "aria-label": name, viewBox: `0 0 ${WIDTH} ${HEIGHT}` }, [
    drawn("path", { class: "grid", d: up.map((value) => `M${left} ${y(value).toFixed(1)}H${right}`).join("") }),
    ...up.map((value) => text(`${(100 * value).toFixed(decimals)}\u00a0%`, { x: left - 6, y: y(value) + 4, "text-anchor": "end" })),
    ...across.map((count) => text(number(count), { x: x(count), y: bottom + 15, "text-anchor": "middle" })),
    text("labels", { class: "title", x: (left + right) / 2, y: bottom + 32, "text-anchor": "middle" }),
    ...(points.length > 1 ? [drawn("path", { class: "band", d: `${line(band)}Z` }), drawn("path", { class: "line", d: line(middle) })] : []),
    drawn("path", { class: "span", d: `M${x(most).toFixed(1)} ${y(last.low).toFixed(1)}V${y(last.high).toFixed(1)}` }),
    drawn("circle", { class: "dot", cx: x(most), cy: y(last.accuracy), r: 4 }),
  ]);
}

// What is drawn, so that it is redrawn only if it has changed.
let shownCurve = "", shownCounts = "";

function showQuality({ curve, test, advice, is_learning: isLearning, n_test: nTest }) {
  const measure = several ? "Micro-F1" : "Accuracy", last = curve.at(-1);
  // With --order check, nothing is measured.
  at("quality").hidden = !last && !isLearning && advice === "";
  at("measure").textContent = measure;
  at("figure").textContent = last ? share(last.accuracy) : "";
  at("interval").textContent = last
    ? `${between(last)} (95\u00a0%), out of fold on ${counted(last.n_labels, "labelled text")}`
    : isLearning ? "" : "Measured once there are enough labels.";
  const drawing = JSON.stringify(curve);
  if (drawing !== shownCurve) {
    shownCurve = drawing;
    at("curve").replaceChildren(...(last ? [curveOf(curve, measure)] : []));
  }
  if (at("advice").textContent !== advice) at("advice").textContent = advice;
  at("learning").textContent = isLearning ? "Learning …" : "";
  at("test").hidden = nTest === 0 && test === null;
  at("test-figure").textContent = test ? share(test.accuracy) : "";
  at("test-note").textContent = test
    ? `${between(test)} (95\u00a0%), on ${counted(test.n_labels, "random text")} that the classifier has not seen`
    : `${counted(nTest, "random text")} so far${at("quality").hidden ? "" : "; not measured until there are more"}.`;
}

function showCounts({ n_texts: nTexts, n_labelled: nLabelled, n_skipped: nSkipped, n_test: nTest, of_labels: ofLabels }) {
  const more = [nSkipped && `${number(nSkipped)} skipped`, nTest && `${number(nTest)} for the test`].filter(Boolean);
  at("count").textContent = [`${number(nLabelled)} of ${number(nTexts)} labelled`, ...more].join(" · ");
  at("done").max = Math.max(nTexts, 1);
  at("done").value = nLabelled;
  document.title = `${number(nLabelled)} of ${number(nTexts)} – embedclf label`;
  const counts = JSON.stringify(ofLabels);
  if (counts === shownCounts) return;
  shownCounts = counts;
  const most = ofLabels.length ? ofLabels[0][1] : 1;
  at("no-labels").hidden = ofLabels.length > 0;
  at("of-labels").hidden = ofLabels.length === 0;
  at("of-labels").querySelector("tbody").replaceChildren(...ofLabels.map(([label, count]) => {
    const bar = element("div", [], { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${(100 * count) / most}%`;
    return element("tr", [
      element("th", [element("bdi", label), bar], { scope: "row" }), element("td", number(count))]);
  }));
}

function showProgress(progress) {
  showQuality(progress);
  showCounts(progress);
}
