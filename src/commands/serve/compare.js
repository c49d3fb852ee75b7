"use strict";
/* Two runs' panels beside each other, on one scale of time; zoom and cursor of both go together. */
(async () => {
  const byId = id => document.getElementById(id);
  const drawn = [];
  themeButton(byId("theme"), () => drawn.forEach(panels => panels.redraw()));
  const get = async id => {
    const answer = await fetch("/panels/" + id.split("/").map(encodeURIComponent).join("/"));
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return answer.json();
  };
  const got = await Promise.all(DATA.map(async (id, index) => {
    try { return await get(id); } catch (error) { byId("wait-" + index).textContent = "cannot be drawn: " + error.message; return null; }
  }));
  const end = Math.max(...got.map(data => data ? data.end : 0));
  /* A panel that only one of them has would push the others apart. */
  const shared = got.every(Boolean) ? new Set(got[0].panels.map(panel => panel.id).filter(id => got[1].panels.some(panel => panel.id === id))) : null;
  let telling = false;
  got.forEach((data, index) => {
    if (!data) return;
    byId("wait-" + index).remove();
    const panels = Panels(byId("panels-" + index), { label: visible("", DATA[index]) + " over time", from: 0, to: end,
      cursor: (x, clock) => {
        byId("cursor").textContent = x === null ? "" : clock;
        if (telling || x === null) return;
        telling = true;
        drawn.filter(other => other !== panels).forEach(other => other.point(x));
        telling = false;
      } });
    const rank = panel => shared && !shared.has(panel.id) ? 1 : 0;
    panels.show(data.panels.slice().sort((a, b) => rank(a) - rank(b)), data.bands);
    drawn.push(panels);
  });
  zoomBar(byId("zoom"), () => ({ zoomBy: f => drawn.forEach(p => p.zoomBy(f)), all: () => drawn.forEach(p => p.all()) }));
  window.drawn = drawn;
})();
