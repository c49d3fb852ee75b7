"use strict";
/* The report's panels: all data is in DATA, nothing is asked of anybody. */
(() => {
  const byId = id => document.getElementById(id);
  const hint = byId("cursor").textContent;
  const panels = Panels(byId("panels"), { label: "The run over time", from: 0, to: DATA.end,
    cursor: (x, clock, faults) => {
      byId("cursor").textContent = x === null ? hint : clock + (faults.length ? " · in force: " + faults.map(f => f.label).join("; ") : "");
    } });
  zoomBar(byId("zoom"), () => panels);
  themeButton(byId("theme"), () => panels.redraw());
  panels.show(DATA.panels, DATA.bands);
  /* The clash is at the end of the picture, which may be wider than the window. */
  for (const picture of document.querySelectorAll(".picture")) picture.scrollLeft = picture.scrollWidth;
  window.panels = panels;
})();
