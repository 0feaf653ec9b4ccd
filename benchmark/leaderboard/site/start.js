// What is drawn when, and what the controls do.

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
// The library of the charts stands behind this script: tables work before it is there.
document.addEventListener("DOMContentLoaded", async () => {
  await Promise.all([drawPlane(), changePlace(), changePair()]);
  document.documentElement.dataset.ready = "yes";
});
