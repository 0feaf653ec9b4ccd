// Curves over training steps.

// ---- charts ---------------------------------------------------------------------------------

const DASHES = [[1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [5, 2], [12, 3], [1, 3], [6, 2, 1, 2, 1, 2]];
const colour = (index) => `var(--line-${index % 8})`; // the style sheet has them, light and dark
const CONFIG = {
  background: null,
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: {
    labelColor: "var(--soft)", titleColor: "var(--soft)", domainColor: "var(--rule)",
    tickColor: "var(--rule)", gridColor: "var(--grid)", labelFontSize: 11, titleFontSize: 11,
    titleFontWeight: "normal", tickSize: 4,
  },
  axisX: { labelFlush: true },
};

// One chart at a time, and what the reader does goes before the next.
let turn = Promise.resolve();
const inTurn = () => (turn = turn.then(() => new Promise((go) => setTimeout(go))));

async function draw(element, spec, title) {
  await inTurn();
  if (!element.isConnected) return null; // another model was chosen meanwhile
  const options = {
    renderer: "svg", actions: false, ast: true, defaultStyle: false, patch: pointedAt,
    tooltip: { disableDefaultStyle: true, theme: "page" },
  };
  const { view } = await vegaEmbed(element, { width: "container", autosize: { type: "fit-x", contains: "padding" }, config: CONFIG, description: title, ...spec }, options);
  describe(find("svg", element), title);
  return view;
}

// A chart is one picture with one description; its numbers stand in tables, too.
function describe(picture, title) {
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", title);
  for (const part of picture.children) part.setAttribute("aria-hidden", "true");
}

// Under `nearest`, Vega-Lite looks for what a tooltip tells in the area around a point; it is in
// the point, that area's own datum.
function pointedAt(spec) {
  for (const { name, encode } of spec.marks) {
    const tooltip = name?.endsWith("voronoi") && encode.update.tooltip;
    if (tooltip) tooltip.signal = tooltip.signal.replaceAll("datum.datum", "datum").replaceAll("datum", "datum.datum");
  }
  return spec;
}

// The rows of a family's curves: one per run, and their mean at the steps that all runs have.
function rowsOf(algorithm, family, objectives) {
  const rows = [];
  for (const objective of objectives) {
    const sums = new Map();
    for (const run of algorithm.runs) {
      const [steps, values] = run.curves[family]?.[objective] ?? [[], []];
      steps.forEach((step, i) => {
        rows.push({ step, value: values[i], objective, seed: `seed ${run.seed}`, mean: false });
        const [sum, count] = sums.get(step) ?? [0, 0];
        sums.set(step, [sum + values[i], count + 1]);
      });
    }
    const most = Math.max(...[...sums.values()].map(([, count]) => count), 1);
    for (const [step, [sum, count]] of [...sums].sort(([a], [b]) => a - b))
      if (count === most) rows.push({ step, value: sum / count, objective, seed: count > 1 ? `mean of ${count} seeds` : algorithm.runs.length ? `seed ${algorithm.runs[0].seed}` : "", mean: true });
  }
  return rows;
}

function lines(rows, objectives, domain, zero) {
  const values = rows.map((row) => row.value).filter((value) => value !== null);
  domain ??= around(zero ? [...values, 0] : values);
  const dots = objectives.every((name) => rows.filter((row) => row.mean && row.objective === name).length < 2);
  const seeds = rows.some((row) => !row.mean && row.seed !== rows.find((r) => !r.mean).seed);
  const scale = { domain: objectives, range: objectives.map((_, i) => colour(i)) };
  const dash = { domain: objectives, range: objectives.map((_, i) => DASHES[i % 8]) };
  const common = {
    x: { field: "step", type: "quantitative", title: "step", axis: { grid: false, tickCount: 4, tickMinStep: 1 } },
    y: { field: "value", type: "quantitative", title: null, scale: domain ? { domain } : { zero: false }, axis: { tickCount: 4 } },
    color: { field: "objective", type: "nominal", legend: null, scale },
  };
  const only = (mean) => [{ filter: { field: "mean", equal: mean } }];
  return {
    height: 150,
    data: { values: rows },
    layer: [
      ...(zero ? [{ mark: { type: "rule", color: "var(--soft)", strokeWidth: 1 }, data: { values: [{}] }, encoding: { y: { datum: 0 } } }] : []),
      ...(seeds ? [{ transform: only(false), mark: { type: "line", strokeWidth: 1, opacity: 0.4 }, encoding: { ...common, detail: { field: "seed" } } }] : []),
      { transform: only(true), mark: { type: "line", strokeWidth: 2 }, encoding: { ...common, strokeDash: { field: "objective", type: "nominal", legend: null, scale: dash } } },
      {
        transform: only(true),
        params: [{ name: "near", select: { type: "point", on: "pointerover", nearest: true, clear: "pointerout" } }],
        mark: { type: "point", filled: true, size: 60 },
        encoding: {
          ...common,
          opacity: { condition: { param: "near", empty: false, value: 1 }, value: dots ? 1 : 0 },
          tooltip: [{ field: "objective" }, { field: "step" }, { field: "value", format: ".3~f" }, { field: "seed", title: "of" }],
        },
      },
    ],
  };
}

const span = (values) => values.every((v) => v >= 0 && v <= 1) ? [0, 1] : null;

// Around a constant an axis has no width of its own, and its one tick is rounded to another value.
function around(values) {
  const low = Math.min(...values), high = Math.max(...values);
  if (!values.length || high - low > 1e-6 * Math.max(Math.abs(low), Math.abs(high))) return null;
  const width = Math.max(Math.abs(low), Math.abs(high)) / 2 || 1;
  return [low - width, high + width];
}

function legend(objectives) {
  return objectives.map((name, i) => {
    const sample = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    sample.setAttribute("viewBox", "0 0 28 8");
    sample.setAttribute("class", "key");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [k, v] of Object.entries({ x1: 1, x2: 27, y1: 4, y2: 4, stroke: colour(i), "stroke-dasharray": DASHES[i % 8].join(" ") })) line.setAttribute(k, v);
    sample.append(line);
    return made("span", {}, [sample, name]);
  });
}

const option = (text, value) => made("option", { textContent: text, value: String(value) });
const place = (select) => data.places[Number(find(select).value)];

async function drawCurves() {
  const { objectives, algorithms } = place("#curve-place");
  find("#legend").replaceChildren(...legend(objectives));
  const rows = algorithms.map((algorithm) => rowsOf(algorithm, "validation", objectives));
  const domain = span(rows.flat().map((row) => row.value));
  const panels = algorithms.map((algorithm) => panel(algorithm));
  find("#panels").replaceChildren(...panels);
  await Promise.all(panels.map((element, i) => rows[i].length
    ? draw(find(".chart", element), lines(rows[i], objectives, domain), `Validation curves of ${algorithms[i].id}`)
    : find(".chart", element).append("no curves tracked")));
}

function panel(algorithm) {
  const given = place("#curve-place").objectives.filter((_, i) => algorithm.interfered[i]);
  const button = made("button", { type: "button", className: "choose", textContent: algorithm.id });
  button.addEventListener("click", () => choose(algorithm.id));
  const caption = made("figcaption", {}, [button]);
  if (algorithm.reference) caption.append(made("span", { className: "tag", textContent: "reference" }));
  if (given.length) caption.append(made("span", { className: "harm", textContent: `▼ ${given.join(", ")}` }));
  const figure = made("figure", {}, [caption, made("div", { className: "chart" })]);
  figure.dataset.algorithm = algorithm.id;
  return figure;
}

async function drawTraces() {
  const { objectives, algorithms } = place("#curve-place");
  const algorithm = algorithms[Number(find("#curve-algorithm").value)];
  for (const element of all("#panels figure"))
    element.classList.toggle("chosen", element.dataset.algorithm === algorithm.id);
  const found = new Set(algorithm.runs.flatMap((run) => Object.keys(run.curves)));
  found.delete("validation");
  const known = Object.keys(data.titles);
  const names = [...found].sort((a, b) => known.indexOf(a) - known.indexOf(b));
  find("#traces-title").textContent = names.length ? `At the updates of ${algorithm.id}` : "";
  const figures = names.map((name) => made("figure", {}, [
    made("figcaption", { textContent: data.titles[name] }), made("div", { className: "chart" }),
  ]));
  find("#traces").replaceChildren(...figures);
  await Promise.all(names.map((name, i) => draw(find(".chart", figures[i]),
    lines(rowsOf(algorithm, name, objectives), objectives, null, name.startsWith("covariance")),
    `${data.titles[name]} of ${algorithm.id}`)));
}

function choose(id) {
  const index = place("#curve-place").algorithms.findIndex((algorithm) => algorithm.id === id);
  find("#curve-algorithm").value = String(Math.max(0, index));
  return drawTraces();
}

async function changePlace(id) {
  const wanted = id ?? find("#curve-algorithm").selectedOptions[0]?.textContent;
  find("#curve-algorithm").replaceChildren(...place("#curve-place").algorithms.map((a, i) => option(a.id, i)));
  await drawCurves();
  await choose(wanted);
}

