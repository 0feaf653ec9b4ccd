// Names beside the points of a chart.

const LINE = 14, LONGEST = 24, NEAR = 22; // pixels, letters of a line, pixels
const pen = document.createElement("canvas").getContext("2d");
pen.font = "12px system-ui, sans-serif"; // the charts' own

// Where a label may stand: how far right of its point it starts, and how far below, in its width
// and height; the numbers behind keep it clear of the point.
const SIDES = [
  [0, -1, 9, -4], [-1, -1, -9, -4], [0, 0, 9, 4], [-1, 0, -9, 4],
  [0, -0.5, 11, 0], [-1, -0.5, -11, 0], [-0.5, -1, 0, -10], [-0.5, 0, 0, 10],
];

// Labels of the points: one for those that lie on one another, each on the side of its point where
// it covers least of other labels and marks and is inside the plot. `marks` are what else is drawn,
// as [left, right, bottom, top] in the units of the axes.
function labels(points, marks, [left, right], [bottom, top], width, height) {
  const across = (x) => (width * (x - left)) / (right - left);
  const down = (y) => (height * (top - y)) / (top - bottom);
  const drawn = marks.map(([l, r, b, t]) => [across(l) - 4, down(t) - 4, across(r) + 4, down(b) + 4]);
  const groups = grouped(points.map((p) => ({ x: p.x, y: p.y, px: across(p.x), py: down(p.y), names: [p.algorithm] })));
  const boxes = groups.map((g) => {
    g.lines = wrapped(g.names);
    const wide = Math.max(...g.lines.map((line) => pen.measureText(line).width)), tall = LINE * g.lines.length;
    return SIDES.map(([a, b, dx, dy]) => [g.px + a * wide + dx, g.py + b * tall + dy])
      .map(([x, y]) => [x, y, x + wide, y + tall]);
  });
  const outside = ([l, t, r, b]) => Math.max(0, -l) + Math.max(0, r - width) + Math.max(0, -t) + Math.max(0, b - height);
  const cost = (box, others) => 60 * outside(box)
    + others.reduce((sum, other) => sum + 4 * overlap(box, other), 0)
    + drawn.reduce((sum, other) => sum + overlap(box, other), 0);
  const chosen = boxes.map((each) => each[0]);
  for (let round = 0; round < 4; round++) // each gives way to where the others stand by now
    boxes.forEach((each, i) => {
      const others = chosen.filter((_, j) => j !== i);
      const costs = each.map((box) => cost(box, others));
      chosen[i] = each[costs.indexOf(Math.min(...costs))];
    });
  return groups.map((g, i) => ({
    x: g.x, y: g.y, text: g.lines, dx: chosen[i][0] - g.px, dy: chosen[i][1] - g.py + LINE - 3,
  }));
}

const overlap = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));

function grouped(points) {
  const groups = [];
  for (const p of points) {
    const near = groups.find((g) => Math.hypot(g.px - p.px, g.py - p.py) < NEAR);
    if (near) near.names.push(...p.names);
    else groups.push(p);
  }
  return groups;
}

function wrapped(names) {
  const lines = [];
  names.forEach((name, i) => {
    const word = i < names.length - 1 ? `${name},` : name, last = lines.at(-1);
    if (last !== undefined && last.length + word.length < LONGEST) lines.push(`${lines.pop()} ${word}`);
    else lines.push(word);
  });
  return lines;
}

// The layer of a chart that shows them.
const named = (values, at) => ({
  data: { values },
  mark: {
    type: "text", align: "left", baseline: "alphabetic", dx: { expr: "datum.dx" }, dy: { expr: "datum.dy" },
    fontSize: 12, lineHeight: LINE, color: "var(--ink)",
  },
  encoding: { ...at, text: { field: "text", type: "nominal" } },
});
