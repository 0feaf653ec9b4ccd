// Algorithms as points: two objectives against each other, and gain against loss.

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
  const marks = points.flatMap((p) => [[p.xl ?? p.x, p.xh ?? p.x, p.y, p.y], [p.x, p.x, p.yl ?? p.y, p.yh ?? p.y], [p.x0, p.x0, p.y0, p.y0]]);
  const names = labels(points, marks, dx, dy, find("#pareto").clientWidth - 45, HEIGHT);
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
      named(names, at),
    ],
  };
  return draw(find("#pareto"), spec, `${objectives[x]} and ${objectives[y]} of each algorithm`);
}

const told = (name, a, j) => `${name} ${a.final[j].toFixed(3)}, Δ ${a.delta[j].toFixed(3)}`.replaceAll("-", "−");

const HEIGHT = 420; // pixels
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
  const marks = points.flatMap((p) => [[p.gain_low ?? p.x, p.gain_high ?? p.x, p.y, p.y], [p.x, p.x, p.loss_low ?? p.y, p.loss_high ?? p.y]]);
  const names = labels(points, marks, dx, dy, find("#plane-chart").clientWidth - 55, HEIGHT);
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
      named(names, at),
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

