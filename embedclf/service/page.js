"use strict";
// Everything here is built with text nodes: no label, text or message is ever read as HTML. The token is kept in a
// variable, so it is gone when the page is.
const at = (id) => document.getElementById(id);
const needsToken = document.documentElement.dataset.token === "required";
const N_LABELS = 5;
let token = null;
let latest = 0;

function element(name, content = [], attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
}

const name = (label) => element("bdi", label);
const counted = (number) => number.toLocaleString("en");
const moment = (utc) => `${utc.slice(0, 16).replace("T", " ")} UTC`;
// Confidences are rounded down, as everywhere, and shares to the nearest.
const percent = (confidence) => `${(Math.floor(confidence * 1000 + 1e-9) / 10).toFixed(1)}\u00a0%`;
const shared = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

class Refused extends Error {}

async function ask(path, body) {
  const headers = {};
  if (token !== null) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(new URL(path, location), {
      method: body === undefined ? "GET" : "POST", headers, body: body && JSON.stringify(body),
      credentials: "omit", cache: "no-store", redirect: "error",
    });
  } catch {
    throw new Error("The service did not answer.");
  }
  const answer = await response.json().catch(() => null);
  if (response.status === 401) throw new Refused("The token is missing or wrong.");
  if (!response.ok) throw new Error(`${response.status}: ${answer?.detail ?? "no further detail"}`);
  return answer;
}

function complain(error) {
  at("fault").textContent = error.message;
  if (error instanceof Refused) lock();
}

function lock() {
  token = null;
  at("token").hidden = false;
  at("try").hidden = true;
  at("card").replaceChildren(element("p", "Enter the token to see the model.", { class: "note" }));
  at("given").select();
}

// The model's card.

function card(model) {
  const held = model.held_out;
  const embedder = `${model.embedder.provider}:${model.embedder.model}`;
  const features = { both: "words and embedding", words: "words", embedding: "embedding" }[model.features];
  const quality = held === null
    ? "not measured"
    : `${shared(held.accuracy)} of ${counted(held.n_examples)} held-out texts`;
  const baseline = held?.baseline_accuracy != null
    ? `; always guessing the commonest label would get ${shared(held.baseline_accuracy)}` : "";
  const answered = held?.coverage != null && held.answered_accuracy != null
    ? `; answers ${shared(held.coverage)} of them, ${shared(held.answered_accuracy)} of these correctly` : "";
  const classes = model.classes.flatMap((label, place) => [place ? ", " : "", name(label)]);
  const shown = model.classes.length <= 12
    ? element("span", classes)
    : element("details", [element("summary", "Show all"), ...classes]);
  const rows = [
    ["Classes", [`${counted(model.classes.length)}: `, shown]],
    ["Features", features],
    ["Embedder", `${embedder} (${counted(model.embedder.dimensions)} dimensions)`],
    ["Accuracy", quality + baseline + answered],
    ["Threshold", model.threshold === null
      ? "none; always answers" : `abstains below a confidence of ${Number((100 * model.threshold).toFixed(4))}\u00a0%`],
    ["Trained", `on ${counted(model.n_examples)} texts with embedclf ${model.version}`],
  ];
  if (model.file) {
    rows.push(["File", [name(model.file.name), `, modified ${moment(model.file.modified)}, loaded ${moment(model.file.loaded)}`]]);
    rows.push(["SHA-256", element("code", model.file.sha256)]);
  }
  at("card").replaceChildren(
    element("dl", rows.flatMap(([term, what]) => [element("dt", term), element("dd", what)])));
}

async function unlock() {
  card(await ask("model"));
  at("fault").textContent = "";
  at("token").hidden = true;
  at("try").hidden = false;
}

at("token").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = at("given").value.trim();
  try {
    // A header may hold nothing else, and fetch would complain in words of its own.
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Refused("A token has no spaces and only ASCII characters.");
    await unlock();
    at("given").value = "";
    at("text").focus();
  } catch (error) {
    complain(error);
  }
});

// A text to try.

function bars(top) {
  const rows = top.map(({ label, confidence }) => {
    const bar = element("div", [], { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${100 * confidence}%`;
    return element("tr", [
      element("th", name(label), { scope: "row" }), element("td", bar), element("td", percent(confidence))]);
  });
  return element("table", [
    element("caption", `The ${top.length} most likely labels`, { class: "note" }), element("tbody", rows)],
    { class: "bars" });
}

function words(text, prediction) {
  const { runner_up: other, spans, vector } = prediction.explanation;
  const label = prediction.top[0].label;
  const characters = Array.from(text); // offsets count characters, not UTF-16 units
  const most = Math.max(...spans.map((span) => Math.abs(span.weight)));
  const parts = [];
  let end = 0;
  for (const span of spans) {
    const level = Math.ceil((3 * Math.abs(span.weight)) / most - 0.5);
    parts.push(characters.slice(end, span.start).join(""));
    const word = characters.slice(span.start, span.end).join("");
    const side = span.weight > 0 ? "for" : "against";
    const towards = span.weight > 0 ? label : other;
    parts.push(level
      ? element("mark", word, { class: `${side}${level}`, title: `${towards} ${Math.abs(span.weight).toFixed(2)}` })
      : word);
    end = span.end;
  }
  parts.push(characters.slice(end).join(""));
  const strongest = (sign) => {
    const found = spans.filter((span) => span.weight * sign > most / 6)
      .sort((a, b) => sign * (b.weight - a.weight)).slice(0, 5)
      .map((span) => characters.slice(span.start, span.end).join("").trim()).filter(Boolean);
    return found.length ? [...new Set(found)].join(", ") : "none";
  };
  const embedding = vector ? " The embedding as a whole also counts; it cannot be split into words." : "";
  return [
    element("h4", "Words that counted"),
    element("p", parts, { class: "words", dir: "auto", tabindex: "0", role: "group", "aria-label": "Text with its words marked" }),
    element("p", [
      element("mark", "For", { class: "for2" }), " ", name(label), ": ", name(strongest(1)), ". ",
      element("mark", "For", { class: "against2" }), " ", name(other), ": ", name(strongest(-1)), `.${embedding}`],
      { class: "note" }),
  ];
}

function say(verdict, details = []) {
  at("verdict").replaceChildren(...verdict);
  at("details").replaceChildren(...details);
}

function show(text, prediction) {
  if (prediction.error) {
    say([element("p", `Cannot be classified: ${prediction.error}`)]);
    return;
  }
  const sure = `confidence ${percent(prediction.confidence)}`;
  const heading = prediction.label === null
    ? [element("h3", "No answer"), element("p", `The classifier abstains: ${sure} is below its threshold.`)]
    : [element("h3", name(prediction.label)), element("p", sure)];
  const explained = prediction.explanation?.spans.length ? words(text, prediction) : [];
  say(heading, [bars(prediction.top), ...explained]);
}

at("try").addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = ++latest;
  const text = at("text").value;
  at("fault").textContent = "";
  const waiting = setTimeout(() => say([element("p", "Classifying …", { class: "note" })]), 500);
  try {
    const { predictions } = await ask("predict", { text, top_k: N_LABELS, explain: true });
    if (mine === latest) show(text, predictions[0]);
  } catch (error) {
    if (mine !== latest) return;
    say([]);
    complain(error);
  } finally {
    clearTimeout(waiting);
  }
});

at("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("try").requestSubmit();
});

// The snippets name this address.

const here = new URL("predict", location).href;
for (const button of document.querySelectorAll(".snippet button")) {
  const code = at(button.dataset.of);
  code.textContent = code.textContent.replaceAll(code.dataset.address, here);
  if (!navigator.clipboard) continue; // without TLS, only localhost has one
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

if (needsToken) lock();
else unlock().catch(complain);
