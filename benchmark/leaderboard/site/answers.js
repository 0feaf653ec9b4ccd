// The answers to a few test prompts, searched.

// ---- answers ---------------------------------------------------------------------------------

const MOST = 60; // answers that a search shows

// Texts are set as text, never as markup: a model wrote them.
function answerRow(written, names) {
  const rewards = names.map((name, j) => `${name} ${written.rewards[j] ?? "–"}`).join(" · ");
  return made("tr", {}, [
    made("th", { scope: "row", className: "name", textContent: written.by || "before training" }),
    made("td", { className: "name" }, [made("pre", { dir: "auto", tabIndex: 0, textContent: written.text || "(nothing)" })]),
    made("td", { textContent: String(written.tokens) }),
    made("td", { className: "name", textContent: rewards.replaceAll("-", "−") }),
  ]);
}

function answerTable(place, prompt, rows) {
  const heads = ["Policy", "Answer", "Tokens", "Rewards"].map((text) => made("th", { scope: "col", textContent: text, className: text === "Tokens" ? "" : "name" }));
  const table = made("table", { className: "answers" }, [
    made("caption", {}, [made("pre", { dir: "auto", textContent: prompt.prompt }), made("small", { textContent: `reference answer ${prompt.answer} · ${place.model}, ${place.objectives}, seed ${place.seed}` })]),
    made("thead", {}, [made("tr", {}, heads)]), made("tbody", {}, rows.map((written) => answerRow(written, place.names))),
  ]);
  return made("div", { className: "scroll" }, [table]);
}

function showAnswers() {
  const wanted = find("#answer-search").value.toLowerCase().trim();
  const chosen = Number(find("#answer-place").value);
  const places = wanted ? data.answers : data.answers.slice(chosen, chosen + 1);
  const has = (...texts) => texts.some((text) => text.toLowerCase().includes(wanted));
  const tables = [];
  let found = 0, shown = 0;
  for (const each of places) for (const prompt of each.prompts) {
    const rows = prompt.written.filter((w) => !wanted || has(w.text, w.by || "before training", prompt.prompt));
    found += rows.length;
    const left = wanted ? rows.slice(0, MOST - shown) : rows;
    shown += left.length;
    if (left.length) tables.push(answerTable(each, prompt, left));
  }
  find("#answers-list").replaceChildren(...tables);
  all("#answers-list .scroll").forEach(framed);
  find("#answers-shown").textContent = !wanted ? "" : shown < found ? `${shown} of ${found} answers shown` : `${found} answers`;
}

function startAnswers() {
  if (!find("#answers")) return;
  find("#answer-place").append(...data.answers.map((each, i) => option(`${each.model}, ${each.objectives}`, i)));
  for (const id of ["#answer-place", "#answer-search"]) find(id).addEventListener("input", showAnswers);
  showAnswers();
}
