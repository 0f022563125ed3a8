// The text, its labels, and the keys.

const FEW = 15, N_DIGITS = 9, MOST_FOUND = 30;
// A key that bounces, or a second click of two, is not meant for the text that has only just appeared.
const SETTLE_MS = 150, DOUBLE_CLICK_MS = 400;
const RETRY_MS = 2000, POLL_MS = 10000, LEARNING_POLL_MS = 2000;
const STOPPED = "The server has stopped. Run the same command again and open the address that it prints; nothing is lost.";
const RESTARTED = "The server was restarted. Open the address that it printed this time; nothing is lost.";

const find = at("find"), note = at("note"), go = at("go");
const hasKeys = matchMedia("(any-pointer: fine)").matches;
const window_ = sessionStorage.getItem("window") ?? crypto.randomUUID();
sessionStorage.setItem("window", window_);

// "busy" while an answer is sent and until its successor has been seen, "ready", "lost" without the server, "over".
let state = "busy";
let question = null; // the one that is shown; null once all are answered
let labels = [], confidences = new Map(); // the likeliest first
let options = [], marked = -1; // the labels that ↑ and ↓ mark
let chosen = new Set(); // where a text may have several
let mayBeNone = false; // whether the person has been asked if the text has no label
let shownAt = 0, latest = 0, timer = 0;
const answered = new Map(); // what this page answered, by row, so that an undone answer can be put right

class Lost extends Error {}

// A line may break after an underscore or a colon.
const named = (label) => element("bdi", label.split(/(?<=[_:])/).flatMap((part, place) => place ? [element("wbr"), part] : [part]));
const percent = (value) => value < 0.01 ? "<\u00a01\u00a0%" : `${Math.floor(100 * value + 1e-9)}\u00a0%`;
const listed = (names) => names.flatMap((name, place) => [place ? ", " : "", named(name)]);

function become(now) {
  state = now;
  document.body.dataset.state = now;
}

// --- asking the server ---

async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: body ? "POST" : "GET", headers: body ? { "content-type": "application/json" } : {},
      body: body && JSON.stringify(body), credentials: "same-origin", cache: "no-store", redirect: "error",
    });
  } catch {
    throw new Lost(STOPPED);
  }
  if (response.status === 403) throw new Lost(RESTARTED);
  const answer = await response.json().catch(() => null);
  if (answer === null || response.status === 503) throw new Lost(STOPPED);
  if (!response.ok && response.status !== 409) throw new Error(`Not saved: ${answer.detail}`);
  return { ...answer, isElsewhere: response.status === 409 };
}

async function send(path, body, told) {
  if (state !== "ready") return;
  become("busy");
  try {
    const answer = await ask(path, { window: window_, ...body });
    at("fault").replaceChildren();
    show(answer);
    if (answer.isElsewhere) {
      const other = answer.answered?.length ? ["labelled this text ", ...listed(answer.answered)] : ["answered this text"];
      say("Another window has already ", ...other, "; your answer was not saved.");
    } else {
      say(...told(answer));
    }
  } catch (error) {
    if (error instanceof Lost) lose(error);
    else complain(error);
  }
}

function complain(error) {
  at("fault").textContent = error.message;
  become("ready");
}

function lose(error) {
  become("lost");
  if (at("fault").textContent !== error.message) at("fault").textContent = error.message;
  clearTimeout(timer);
  timer = setTimeout(start, RETRY_MS);
}

async function start() {
  const wasLost = state === "lost";
  try {
    const answer = await ask("ask", { window: window_ });
    at("fault").replaceChildren();
    show(answer);
    say(...(wasLost ? ["The server is back."] : []));
  } catch (error) {
    if (error instanceof Lost) lose(error);
    else complain(error);
  }
}

async function poll() {
  const mine = latest;
  if (state === "ready" && document.visibilityState === "visible") {
    try {
      const { progress } = await ask("progress");
      if (mine === latest && state !== "over") showAndPoll(progress);
    } catch (error) {
      if (error instanceof Lost && state !== "over") lose(error);
    }
  } else if (state !== "lost" && state !== "over") {
    timer = setTimeout(poll, POLL_MS);
  }
}

function showAndPoll(progress) {
  latest += 1;
  showProgress(progress);
  clearTimeout(timer);
  timer = setTimeout(poll, progress.is_learning ? LEARNING_POLL_MS : POLL_MS);
}

// --- showing a text ---

function say(...parts) {
  at("said").replaceChildren(...parts);
}

function show(answer) {
  const isSame = question !== null && answer.question?.row === question.row && answer.question.revision === question.revision;
  question = answer.question;
  at("work").hidden = question === null;
  at("over").hidden = question !== null;
  for (const id of ["skip", "add-note"]) at(id).hidden = question === null;
  if (question === null) allDone(answer.progress);
  else if (!isSame) showQuestion();
  shownAt = performance.now();
  setTimeout(() => { if (state !== "over") become("ready"); }, SETTLE_MS);
  showAndPoll(answer.progress);
}

function showQuestion() {
  const before = answered.get(question.row);
  labels = question.guesses.map(([label]) => label);
  confidences = new Map(question.guesses);
  chosen = new Set(several ? question.labels ?? before?.labels ?? [] : []);
  for (const label of [...(question.labels ?? []), ...chosen]) if (!labels.includes(label)) labels.push(label);
  mayBeNone = false;
  at("place").textContent = question.place;
  at("apart").hidden = !question.is_test;
  at("words").replaceChildren(question.text);
  at("text").scrollTop = 0;
  note.value = question.note || before?.note || "";
  at("noting").hidden = note.value === "";
  find.value = "";
  render();
  if (hasKeys && !at("keys").open) find.focus({ preventScroll: true });
  else if (document.activeElement !== document.body) document.activeElement.blur();
}

function allDone({ n_skipped: nSkipped, n_texts: nTexts, n_labelled: nLabelled }) {
  const open = nTexts - nLabelled - nSkipped;
  at("over-title").textContent = "No texts left";
  at("over-said").textContent = [
    nSkipped ? `${counted(nSkipped, "text")} skipped.` : "",
    open > 0 ? `${counted(open, "text")} open in other windows.` : "",
    "Finish writes the labels and stops the server.",
  ].filter(Boolean).join(" ");
  at("over-title").focus();
}

function labelButton(label, { digit = 0, isMarked = false, isNew = false } = {}) {
  const confidence = confidences.get(label) ?? null;
  const isGiven = question.labels?.includes(label) ?? false, isChosen = chosen.has(label);
  const told = [
    `${digit ? `${digit}: ` : ""}${isNew ? "new label " : ""}${label}`, confidence !== null && percent(confidence), isGiven && "current label"];
  const made = element("button", [
    ...(digit ? [element("kbd", String(digit))] : []),
    element("span", isNew ? ["New label ", named(label)] : named(label), { class: "name" }),
    ...(isGiven ? [element("span", "current", { class: "tag" })] : []),
    ...(isChosen ? [element("span", "✓", { class: "tick" })] : []),
    ...(confidence !== null ? [element("span", percent(confidence), { class: "share" })] : []),
    ...(isMarked ? [element("kbd", "Enter")] : []),
  ], { type: "button", class: `label${isMarked ? " marked" : ""}`, "aria-label": told.filter(Boolean).join(", ") });
  if (confidence !== null) made.style.setProperty("--share", `${100 * confidence}%`);
  if (several && !isNew) made.setAttribute("aria-pressed", isChosen);
  made.addEventListener("click", (event) => { if (isMeant(event)) take(label); });
  return element("li", made);
}

function render() {
  const typed = find.value.trim();
  const result = typed ? found(labels, typed) : null;
  const isShort = labels.length <= FEW;
  const first = result ? result.matches.slice(0, MOST_FOUND) : isShort ? labels : labels.slice(0, N_DIGITS);
  options = first.map((label) => ({ label, isNew: false }));
  if (result && !result.isKnown) options.push({ label: typed, isNew: true });
  marked = result ? 0 : -1;
  hint(typed, result);
  drawOptions();
  at("rest").hidden = result !== null || isShort;
  at("rest").querySelector("summary").textContent = `${number(labels.length - N_DIGITS)} more labels`;
  drawOthers();
  const off = [...chosen].filter((label) => !first.includes(label));
  at("chosen").hidden = off.length === 0;
  at("chosen").replaceChildren(...off.map((label) => labelButton(label).firstChild));
  drawGo();
}

function drawOptions() {
  const withDigits = find.value.trim() === "";
  at("labels").replaceChildren(...options.map(({ label, isNew }, place) => labelButton(label, {
    digit: withDigits && place < N_DIGITS ? place + 1 : 0, isMarked: place === marked, isNew,
  })));
}

// There may be thousands, so they are drawn only where they are seen.
function drawOthers() {
  const isSeen = at("rest").open && !at("rest").hidden;
  const others = isSeen ? labels.slice(N_DIGITS).toSorted((one, other) => one.localeCompare(other)) : [];
  at("others").replaceChildren(...others.map((label) => labelButton(label)));
}

function drawGo() {
  const kept = question.labels;
  const isKept = kept !== null && (!several || (kept.length === chosen.size && kept.every((label) => chosen.has(label))));
  go.hidden = !several && kept === null;
  const what = isKept ? ["Keep ", ...(kept.length ? listed(kept) : ["no label"])] : ["Save ", chosen.size ? counted(chosen.size, "label") : "without a label"];
  go.replaceChildren(element("span", what), element("kbd", "Enter"));
}

function hint(typed, result) {
  const parts = [];
  if (result === null) {
    if (labels.length === 0) parts.push("There are no labels yet. Type the first one and press Enter.");
  } else if (result.isGuess) {
    parts.push("There is no label ", named(typed), ". Enter chooses ", named(result.matches[0]), "; Shift+Enter creates a new one.");
  } else if (result.matches.length === 0) {
    parts.push("Enter creates the label ", named(typed), ".");
  } else {
    parts.push("Enter chooses ", named(result.matches[0]), ".");
    if (result.near.length) parts.push(" ", named(typed), " is spelt almost like ", named(result.near[0]), "; Shift+Enter creates it anyway.");
    else if (!result.isKnown) parts.push(" Shift+Enter creates the label ", named(typed), ".");
  }
  at("hint").replaceChildren(...parts);
}

function mark(step) {
  if (options.length === 0) return;
  marked = marked < 0 ? (step > 0 ? 0 : options.length - 1) : (marked + step + options.length) % options.length;
  drawOptions();
  at("labels").children[marked].scrollIntoView({ block: "nearest" });
  at("hint").replaceChildren("Enter ", options[marked].isNew ? "creates the label " : "chooses ", named(options[marked].label), ".");
}

// --- answering ---

// A click with a pointer has to be aimed at the text that is shown; one by a key or a screen reader always is.
const isMeant = (event) => event.detail < 2 || performance.now() - shownAt > DOUBLE_CLICK_MS;

function take(label) {
  if (!several) {
    answer([label]);
    return;
  }
  if (state !== "ready") return;
  if (!chosen.delete(label)) chosen.add(label);
  if (!labels.includes(label)) labels.push(label);
  mayBeNone = false;
  find.value = "";
  render();
  if (hasKeys) find.focus({ preventScroll: true });
}

function answer(given) {
  const { row, revision } = question, kept = note.value.trim();
  if (state === "ready") answered.set(row, { labels: given, note: kept });
  const told = given.length ? ["✓ ", ...listed(given)] : ["✓ no label"];
  send("answer", { row, revision, labels: given, note: kept }, () => told);
}

function skip() {
  const { row, revision } = question;
  send("skip", { row, revision, note: note.value.trim() }, () => ["Skipped."]);
}

function undo() {
  send("undo", {}, ({ is_undone: isUndone, question: { row } = {} }) => {
    if (!isUndone) return ["There is nothing to undo."];
    const before = answered.get(row)?.labels;
    return before?.length ? ["Undone: ", ...listed(before), "."] : ["Undid the last answer."];
  });
}

function goOn() {
  if (!several) {
    if (question.labels !== null) answer([...question.labels]);
    else at("hint").textContent = "Press a digit, type to find a label, or press → to skip the text.";
  } else if (chosen.size || mayBeNone || question.labels?.length === 0) {
    answer([...chosen]);
  } else if (state === "ready") {
    mayBeNone = true;
    at("hint").textContent = "No label is selected. Press Enter again if the text has none.";
  }
}

function enter(makesNew) {
  const typed = find.value.trim();
  if (makesNew && typed) take(typed);
  else if (marked >= 0) take(options[marked].label);
  else goOn();
}

async function finish() {
  if (state !== "ready") return;
  become("busy");
  try {
    const { said } = await ask("finish", {});
    become("over");
    clearTimeout(timer);
    at("fault").replaceChildren();
    for (const id of ["work", "tools", "finish"]) at(id).hidden = true;
    at("over").hidden = false;
    at("over-title").textContent = "Finished";
    at("over-said").textContent = `${said}${said ? "\n\n" : ""}The server has stopped. You can close this page.`;
    at("over-title").focus();
  } catch (error) {
    if (error instanceof Lost) lose(error);
    else complain(error);
  }
}

// --- keys and buttons ---

function openNote() {
  at("noting").hidden = false;
  note.focus();
}

const withoutText = {
  ArrowRight: () => { if (question) skip(); }, ArrowLeft: undo, "+": () => { if (question) openNote(); }, "?": () => at("keys").showModal(),
};

function pressed(event) {
  const { key, target } = event, typed = find.value !== "";
  const isText = key.length === 1, isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  const isControl = target.closest("button, summary, a") !== null;
  if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z" && !typed) return undo;
  if (!isPlain && !event.getModifierState("AltGraph")) return null;
  if (key === "Enter" && question && !isControl) return () => enter(event.shiftKey);
  if (!typed && key in withoutText) return withoutText[key];
  if (question === null) return null;
  if (!typed && /^[1-9]$/.test(key)) return () => { if (key <= options.length) take(options[key - 1].label); };
  if (key === "Escape") return () => { find.value = ""; render(); };
  if ((key === "ArrowDown" || key === "ArrowUp") && target !== at("text") && !isControl) return () => mark(key === "ArrowDown" ? 1 : -1);
  if (key === "PageDown" || key === "PageUp") {
    return () => at("text").scrollBy(0, (key === "PageDown" ? 0.9 : -0.9) * at("text").clientHeight);
  }
  if (isText && key !== " " && target !== find) find.focus(); // the letter goes into it
  return null;
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || at("keys").open || state === "over") return;
  if (event.target === note) {
    if ((event.key === "Enter" && !event.shiftKey) || event.key === "Escape") {
      event.preventDefault();
      at("noting").hidden = note.value.trim() === "";
      find.focus();
    }
    return;
  }
  if (state !== "ready") {
    if (event.key.length === 1 || ["Enter", "Backspace", "ArrowLeft", "ArrowRight"].includes(event.key)) event.preventDefault();
    return;
  }
  const act = pressed(event);
  if (act === null) return;
  event.preventDefault();
  if (!event.repeat || event.key.startsWith("Page") || event.key === "ArrowDown" || event.key === "ArrowUp") act();
});

find.addEventListener("beforeinput", (event) => { if (state !== "ready") event.preventDefault(); });
find.addEventListener("input", () => { if (question) render(); });
for (const [id, act] of [["skip", skip], ["undo", undo], ["add-note", openNote], ["finish", finish], ["go", goOn]]) {
  at(id).addEventListener("click", (event) => {
    if (isMeant(event) && (question || id === "undo" || id === "finish")) act();
  });
}
at("rest").addEventListener("toggle", () => { if (question) drawOthers(); });
at("help").addEventListener("click", () => at("keys").showModal());

addEventListener("pagehide", () => {
  if (state !== "over") navigator.sendBeacon("leave", new Blob([JSON.stringify({ window: window_ })], { type: "application/json" }));
});
addEventListener("pageshow", (event) => { if (event.persisted && state !== "over") start(); });
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") poll(); });

become("busy");
start();
