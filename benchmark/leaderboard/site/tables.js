// Helpers, tables and tooltips. Without scripts the page is its tables.

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


// ---- tables wider than the window ------------------------------------------------------------

// Around a table that may scroll: a line that says so, and shades where columns are out of sight.
// Only while they are is it a stop of the keyboard's.
function framed(region) {
  const said = made("p", { className: "more", textContent: "Scroll sideways for more columns" });
  const frame = made("div", { className: "frame" });
  region.replaceWith(said, frame);
  frame.append(region);
  const look = () => {
    const spare = region.scrollWidth - region.clientWidth;
    const wide = spare > 1;
    said.hidden = !wide;
    frame.classList.toggle("before", wide && region.scrollLeft > 1);
    frame.classList.toggle("beyond", wide && region.scrollLeft < spare - 1);
    if (wide) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  };
  region.addEventListener("scroll", look, { passive: true });
  const watch = new ResizeObserver(look);
  for (const element of [region, region.firstElementChild]) watch.observe(element);
}

all(".scroll").forEach(framed);
