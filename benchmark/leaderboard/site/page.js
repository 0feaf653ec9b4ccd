"use strict";
// Sorting, filtering and charts. Without it the page is its tables.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const made = (tag, properties = {}, children = []) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  document.documentElement.classList.add("scripts");

  // ---- tables ---------------------------------------------------------------------------------

  const words = new Intl.Collator("en", { numeric: true });

  function sortable(table) {
    all("thead th", table).forEach((head, column) => {
      const button = made("button", { type: "button", className: "sort" });
      button.append(head.firstChild); // what follows the name is not for pressing
      head.prepend(button);
      button.addEventListener("click", () => sort(table, head, column));
    });
  }

  function sort(table, head, column) {
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [key(row.cells[column]), row]);
    keyed.sort(([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === ""); // no value: last either way
      const order = typeof a === "number" && typeof b === "number" ? a - b : words.compare(a, b);
      return ascending ? order : -order;
    });
    body.append(...keyed.map(([, row]) => row));
  }

  function key(cell) {
    const text = (cell.dataset.value ?? cell.textContent).trim().replace("−", "-");
    return text === "" || text === "–" || Number.isNaN(Number(text)) ? text.replace("–", "") : Number(text);
  }

  function filter() {
    const wanted = find("#filter").value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    const references = find("#references").checked;
    for (const row of all("table.filtered tbody tr")) {
      const name = row.dataset.algorithm.toLowerCase();
      const named = !wanted.length || wanted.some((word) => name.includes(word));
      row.hidden = !named || (!references && row.classList.contains("reference"));
    }
    const rows = all("#overall-table tbody tr");
    const left = rows.filter((row) => !row.hidden).length;
    find("#shown").textContent = left === rows.length ? "" : `${left} of ${rows.length} shown, in all tables`;
  }

  all("table.sortable").forEach(sortable);
  find("#filters").addEventListener("submit", (event) => event.preventDefault());
  find("#filters").addEventListener("input", filter);
  find("#heat-measure").addEventListener("change", (event) => {
    find("#heat").className = `heat ${event.target.value} filtered`;
  });

  // ---- tooltips of table cells ----------------------------------------------------------------

  const tip = find("#tip");
  function showTip(event) {
    const element = event.target.closest?.("[data-tip]");
    tip.hidden = !element;
    if (!element) return;
    tip.textContent = element.dataset.tip;
    const box = element.getBoundingClientRect();
    const left = Math.min(box.left + scrollX, scrollX + innerWidth - tip.offsetWidth - 12);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${box.bottom + scrollY + 6}px`;
  }
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, showTip);
  document.addEventListener("focusout", () => { tip.hidden = true; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

  // ---- charts ---------------------------------------------------------------------------------

  const DASHES = [[1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [5, 2], [12, 3], [1, 3], [6, 2, 1, 2, 1, 2]];
  const colour = (index) => `var(--line-${index % 8})`; // the style sheet has them, light and dark
  const FAMILIES = {
    "covariance/score": "Covariance with the score",
    "covariance/weight": "Covariance with the update’s weights",
    "scalarizer/weight": "Scalarizer’s weights",
    "scalarizer/average_covariance": "Averaged covariance",
    "scalarizer/target_deficit": "Deficit against the target",
    "scalarizer/dual": "Dual variables",
    "scalarizer/reference_point": "Reference point",
    "gradient/weight": "Weights of the gradients",
    "gradient/norm": "Norms of the gradients",
  };
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

  async function draw(element, spec, title) {
    const options = {
      renderer: "svg", actions: false, ast: true, defaultStyle: false, patch: pointedAt,
      tooltip: { disableDefaultStyle: true, theme: "page" },
    };
    const { view } = await vegaEmbed(element, { width: "container", autosize: { type: "fit-x", contains: "padding" }, config: CONFIG, description: title, ...spec }, options);
    find("svg", element)?.setAttribute("aria-label", title);
    return view;
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
    const known = Object.keys(FAMILIES);
    const order = (name) => (known.indexOf(name) + 1 || known.length + 1);
    const names = [...found].sort((a, b) => order(a) - order(b) || words.compare(a, b));
    find("#traces-title").textContent = names.length ? `At the updates of ${algorithm.id}` : "";
    const figures = names.map((name) => made("figure", {}, [
      made("figcaption", { textContent: FAMILIES[name] ?? name.replaceAll("_", " ") }), made("div", { className: "chart" }),
    ]));
    find("#traces").replaceChildren(...figures);
    await Promise.all(names.map((name, i) => draw(find(".chart", figures[i]),
      lines(rowsOf(algorithm, name, objectives), objectives, null, name.startsWith("covariance")),
      `${FAMILIES[name] ?? name} of ${algorithm.id}`)));
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

  // ---- two objectives against each other ------------------------------------------------------

  function drawPareto() {
    const { objectives, algorithms } = place("#pareto-place");
    const [x, y] = [Number(find("#pareto-x").value), Number(find("#pareto-y").value)];
    const bound = (a, j, end) => a[end][j] === null ? null : a.final[j] + a[end][j] - a.delta[j];
    const points = algorithms.filter((a) => a.final[x] !== null && a.final[y] !== null).map((a) => ({
      algorithm: a.id, kind: a.reference ? "reference" : "algorithm", x: a.final[x], y: a.final[y],
      x0: a.initial[x], y0: a.initial[y], xl: bound(a, x, "low"), xh: bound(a, x, "high"),
      yl: bound(a, y, "low"), yh: bound(a, y, "high"),
      across: told(objectives[x], a, x), up: told(objectives[y], a, y),
      gives: objectives.filter((_, j) => a.interfered[j]).join(", ") || "nothing", seeds: a.seeds,
    }));
    const beaten = (p) => points.some((q) => q.x >= p.x && q.y >= p.y && (q.x > p.x || q.y > p.y));
    const front = points.filter((p) => !beaten(p)).sort((a, b) => a.x - b.x);
    const ends = (low, high, start) => points.flatMap((p) => [p[low], p[high], p[start]]).filter((v) => v !== null);
    const range = (values) => { const [a, b] = [Math.min(...values), Math.max(...values)]; const pad = 0.06 * (b - a || 1); return [a - pad, b + pad]; };
    const [dx, dy] = [range([...ends("xl", "xh", "x0"), ...points.map((p) => p.x)]), range([...ends("yl", "yh", "y0"), ...points.map((p) => p.y)])];
    const axis = (field, title, domain) => ({ field, type: "quantitative", title, scale: { domain, nice: false }, axis: { tickCount: 6 } });
    const [across, up] = [`${objectives[x]} →`, `${objectives[y]} →`];
    const at = { x: axis("x", across, dx), y: axis("y", up, dy) };
    const names = labels(points, dx, dy, find("#pareto").clientWidth - 45, HEIGHT);
    const bar = (mark, encoding) => ({ mark: { type: "rule", strokeWidth: 1, color: "var(--soft)", opacity: 0.7, ...mark }, encoding });
    const spec = {
      height: HEIGHT,
      data: { values: points },
      layer: [
        bar({ strokeDash: [2, 3], opacity: 0.5 }, { x: axis("x0", across, dx), x2: { field: "x" }, y: axis("y0", up, dy), y2: { field: "y" } }),
        { data: { values: front }, mark: { type: "line", interpolate: "linear", color: "var(--accent)", strokeWidth: 1.5 }, encoding: { ...at, order: { field: "x" } } },
        bar({}, { x: axis("xl", across, dx), x2: { field: "xh" }, y: at.y }),
        bar({}, { y: axis("yl", up, dy), y2: { field: "yh" }, x: at.x }),
        { data: { values: points.slice(0, 1) }, mark: { type: "text", text: "×", fontSize: 18, color: "var(--ink)" }, encoding: { x: axis("x0", across, dx), y: axis("y0", up, dy) } },
        {
          mark: { type: "point", filled: true, size: 80, strokeWidth: 1.5, stroke: "var(--accent)", opacity: 1 },
          encoding: {
            ...at,
            fill: { field: "kind", type: "nominal", legend: null, scale: { domain: ["algorithm", "reference"], range: ["var(--accent)", "var(--paper)"] } },
            tooltip: [{ field: "algorithm" }, { field: "across" }, { field: "up" }, { field: "gives", title: "gives up" }, { field: "seeds" }],
          },
        },
        ...SIDES.map(([align, baseline]) => ({
          data: { values: names.filter((label) => label.align === align && label.baseline === baseline) },
          mark: { type: "text", align, baseline, dx: align === "left" ? 9 : -9, dy: baseline === "top" ? 5 : -5, fontSize: 12, color: "var(--ink)" },
          encoding: { ...at, text: { field: "text", type: "nominal" } },
        })),
      ],
    };
    return draw(find("#pareto"), spec, `${objectives[x]} and ${objectives[y]} of each algorithm`);
  }

  const told = (name, a, j) => `${name} ${a.final[j].toFixed(3)}, Δ ${a.delta[j].toFixed(3)}`.replaceAll("-", "−");

  const HEIGHT = 420; // pixels
  const SIDES = [["left", "bottom"], ["right", "bottom"], ["left", "top"], ["right", "top"]];

  // Labels of the points: one for those that lie on one another, each at the first side of its
  // point where it is inside the plot and on no other label or point, as far as that goes.
  function labels(points, [left, right], [bottom, top], width, height) {
    const groups = [];
    for (const p of points) {
      const [px, py] = [(width * (p.x - left)) / (right - left), (height * (top - p.y)) / (top - bottom)];
      const near = groups.find((g) => Math.hypot(g.px - px, g.py - py) < 22);
      if (near) near.names.push(p.algorithm);
      else groups.push({ x: p.x, y: p.y, px, py, names: [p.algorithm] });
    }
    const taken = groups.map((g) => [g.px - 6, g.py - 6, g.px + 6, g.py + 6]);
    return groups.map((g) => {
      const text = g.names.join(", ");
      const boxes = SIDES.map(([align, baseline]) => {
        const [x, y] = [align === "left" ? g.px + 9 : g.px - 9 - 6.8 * text.length, baseline === "top" ? g.py + 5 : g.py - 18];
        return [x, y, x + 6.8 * text.length, y + 13];
      });
      const overlap = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
      const cost = (box) => taken.reduce((sum, other) => sum + overlap(box, other), 0) + 40 * (Math.max(0, -box[0]) + Math.max(0, box[2] - width));
      const best = boxes.reduce((least, box, i) => (cost(box) < cost(boxes[least]) ? i : least), 0);
      taken.push(boxes[best]);
      const [align, baseline] = SIDES[best];
      return { x: g.x, y: g.y, text, align, baseline };
    });
  }

  // ---- gain against loss -----------------------------------------------------------------------

  function drawPlane() {
    const signed = (v) => `${v < 0 ? "−" : "+"}${Math.abs(v).toFixed(3)}`;
    const points = data.plane.map((a) => ({
      ...a, algorithm: a.id, kind: a.reference ? "reference" : "algorithm", x: a.gain, y: a.loss,
      across: signed(a.gain), up: signed(a.loss),
    }));
    if (!points.length) return null;
    const ends = (keys) => [0, ...points.flatMap((p) => keys.map((key) => p[key])).filter((v) => v !== null)];
    const range = (values) => { const [a, b] = [Math.min(...values), Math.max(...values)]; const pad = 0.06 * (b - a || 1); return [a - pad, b + pad]; };
    const [dx, dy] = [range(ends(["gain", "gain_low", "gain_high"])), range(ends(["loss", "loss_low", "loss_high"]))];
    const [across, up] = ["change of the scalarized score →", "change of the worst objective →"];
    const axis = (field, title, domain) => ({ field, type: "quantitative", title, scale: { domain, nice: false }, axis: { tickCount: 6 } });
    const at = { x: axis("x", across, dx), y: axis("y", up, dy) };
    const names = labels(points, dx, dy, find("#plane-chart").clientWidth - 55, HEIGHT);
    const rule = (encoding) => ({ mark: { type: "rule", strokeWidth: 1, color: "var(--soft)", opacity: 0.7 }, encoding });
    const zero = (encoding) => ({ ...rule(encoding), data: { values: [{}] } });
    const spec = {
      height: HEIGHT,
      data: { values: points },
      layer: [
        zero({ x: { datum: 0, type: "quantitative" } }),
        zero({ y: { datum: 0, type: "quantitative" } }),
        rule({ x: axis("gain_low", across, dx), x2: { field: "gain_high" }, y: at.y }),
        rule({ y: axis("loss_low", up, dy), y2: { field: "loss_high" }, x: at.x }),
        {
          mark: { type: "point", filled: true, size: 80, strokeWidth: 1.5, stroke: "var(--accent)", opacity: 1 },
          encoding: {
            ...at,
            fill: { field: "kind", type: "nominal", legend: null, scale: { domain: ["algorithm", "reference"], range: ["var(--accent)", "var(--paper)"] } },
            tooltip: [{ field: "algorithm" }, { field: "across", title: "score" }, { field: "up", title: "worst objective" }, { field: "verdict" }],
          },
        },
        ...SIDES.map(([align, baseline]) => ({
          data: { values: names.filter((label) => label.align === align && label.baseline === baseline) },
          mark: { type: "text", align, baseline, dx: align === "left" ? 9 : -9, dy: baseline === "top" ? 5 : -5, fontSize: 12, color: "var(--ink)" },
          encoding: { ...at, text: { field: "text", type: "nominal" } },
        })),
      ],
    };
    const told = points.map((p) => `${p.algorithm}: score ${p.across}, worst objective ${p.up}`).join("; ");
    return draw(find("#plane-chart"), spec, `Gain against loss of each algorithm. ${told}`);
  }

  function changePair() {
    const { objectives } = place("#pareto-place");
    find("#pareto-x").replaceChildren(...objectives.map((name, i) => option(name, i)));
    find("#pareto-y").replaceChildren(...objectives.map((name, i) => option(name, i)));
    find("#pareto-y").value = String(Math.min(1, objectives.length - 1));
    return drawPareto();
  }

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
    find("#answers-shown").textContent = !wanted ? "" : shown < found ? `${shown} of ${found} answers shown` : `${found} answers`;
  }

  function startAnswers() {
    if (!find("#answers")) return;
    find("#answer-place").append(...data.answers.map((each, i) => option(`${each.model}, ${each.objectives}`, i)));
    for (const id of ["#answer-place", "#answer-search"]) find(id).addEventListener("input", showAnswers);
    showAnswers();
  }

  // ---- start ----------------------------------------------------------------------------------

  for (const select of ["#curve-place", "#pareto-place"])
    find(select).append(...data.places.map((each, i) => option(each.name, i)));
  for (const form of all("form.controls")) form.addEventListener("submit", (event) => event.preventDefault());
  find("#curve-place").addEventListener("change", () => changePlace());
  find("#curve-algorithm").addEventListener("change", drawTraces);
  find("#pareto-place").addEventListener("change", changePair);
  for (const select of ["#pareto-x", "#pareto-y"]) find(select).addEventListener("change", drawPareto);
  find("#heat").addEventListener("click", (event) => {
    const cell = event.target.closest("a.cell");
    if (!cell) return;
    find("#curve-place").value = cell.dataset.place;
    changePlace(cell.dataset.algorithm);
  });
  startAnswers();
  Promise.all([drawPlane(), changePlace(), changePair()]).then(() => { document.documentElement.dataset.ready = "yes"; });
})();
