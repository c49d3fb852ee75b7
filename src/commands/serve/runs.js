"use strict";
/* The list of runs: asked for every other second, filtered, sorted, two of them chosen. All that comes from a run is
   put in as text. Filter and order stand in the address, so that they can be kept. */
(() => {
  const EVERY_MS = 2000;
  const byId = id => document.getElementById(id);
  const WORDS = { valid: "VALID", invalid: "INVALID", unknown: "UNKNOWN", vacuous: "VACUOUS", refused: "REFUSED", running: "running", unjudged: "no verdict" };
  const CLASSES = { valid: "valid", invalid: "invalid", refused: "invalid", unknown: "unknown", vacuous: "unknown", running: "running", unjudged: "unknown" };
  const WORST_FIRST = ["invalid", "refused", "unjudged", "unknown", "vacuous", "running", "valid"];
  const path = id => id.split("/").map(encodeURIComponent).join("/");
  const COLUMNS = [
    { id: "state", title: "Verdict", order: row => WORST_FIRST.indexOf(row.state) },
    { id: "name", title: "Run", order: row => row.name },
    { id: "began", title: "Began (UTC)", order: row => row.began, newest: true },
    { id: "target", title: "Target", order: row => row.target },
    { id: "nemesis", title: "Faults", order: row => row.nemesis },
    { id: "seed", title: "Seed", number: true, order: row => row.seed ?? -1 },
    { id: "operations", title: "Operations", number: true, order: row => row.operations ?? -1, newest: true },
    { id: "longest_gap_ms", title: "Gap ms", number: true, order: row => row.longest_gap_ms ?? -1, newest: true },
    { id: "duration_s", title: "Seconds", number: true, order: row => row.duration_s ?? -1, newest: true },
  ];
  let rows = [], tag = null;
  const shown = new Map(), chosen = [];
  const asked = new URLSearchParams(location.search);
  const view = { words: asked.get("q") || "", state: asked.get("verdict") || "", by: asked.get("by") || "began", down: asked.get("down") !== "0" };
  byId("words").value = view.words; byId("state").value = view.state;

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  function heads() {
    const host = byId("heads");
    host.replaceChildren(element("th", "", "pick"));
    host.firstChild.append(element("span", "Compare", "hidden"));
    for (const column of COLUMNS) {
      const head = element("th", undefined, column.number ? "n" : "");
      head.scope = "col";
      const button = element("button", column.title, "sort");
      button.type = "button";
      const sorted = view.by === column.id;
      if (sorted) { head.setAttribute("aria-sort", view.down ? "descending" : "ascending"); button.append(element("span", view.down ? " ▼" : " ▲")); button.lastChild.setAttribute("aria-hidden", "true"); }
      button.addEventListener("click", () => {
        view.down = sorted ? !view.down : !!column.newest; view.by = column.id;
        heads(); draw(); keep();
        [...byId("heads").querySelectorAll("button")][COLUMNS.indexOf(column)].focus();
      });
      head.append(button); host.append(head);
    }
  }
  const keep = () => {
    const query = new URLSearchParams();
    if (view.words) query.set("q", view.words);
    if (view.state) query.set("verdict", view.state);
    if (view.by !== "began") query.set("by", view.by);
    if (!view.down) query.set("down", "0");
    history.replaceState(null, "", query.size ? "?" + query : location.pathname);
  };
  const link = (text, to, name) => { const made = element("a", text); made.href = to; made.setAttribute("aria-label", name); return made; };

  function make(id) {
    const row = element("tr"), pick = element("td", undefined, "pick"), box = element("input");
    box.type = "checkbox"; box.setAttribute("aria-label", "Compare " + visible("", id));
    box.addEventListener("change", () => choose(id, box.checked));
    pick.append(box);
    const cells = COLUMNS.map(column => element("td", undefined, column.number ? "n" : ""));
    const state = element("span"), says = element("div", undefined, "dim says");
    cells[0].append(state);
    const looks = element("span", undefined, "looks");
    cells[1].append(link("", "/runs/" + path(id) + "/", "Run " + visible("", id)), looks, says);
    looks.append(link("report", "/runs/" + path(id) + "/report.html", "report of " + visible("", id)), link("zip", "/archive/" + path(id), "zip of all files of " + visible("", id)));
    row.append(pick, ...cells);
    return { row, cells, state, says, box };
  }
  const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  function fill(made, run) {
    set(made.state, WORDS[run.state] + (run.torn ? ", torn" : ""));
    made.state.className = "word-" + CLASSES[run.state];
    set(made.cells[1].firstChild, run.name || visible("", run.id)); set(made.says, run.says);
    const number = value => value === null ? "–" : value.toLocaleString("en");
    [run.began, run.target, run.nemesis, run.seed === null ? "–" : String(run.seed), number(run.operations), number(run.longest_gap_ms), run.duration_s === null ? "–" : run.duration_s.toFixed(1)]
      .forEach((text, index) => set(made.cells[index + 2], text));
  }
  function draw() {
    const words = view.words.toLowerCase().split(/\s+/).filter(Boolean), states = view.state.split(" ").filter(Boolean);
    const matches = run => {
      const text = [run.id, run.target, run.workload, run.nemesis, run.seed, run.says, WORDS[run.state]].join(" ").toLowerCase();
      return words.every(word => text.includes(word)) && (!states.length || states.includes(run.state));
    };
    const { order } = COLUMNS.find(column => column.id === view.by) || COLUMNS[2];
    const sorted = rows.filter(matches).map((run, index) => [order(run), index, run]);
    sorted.sort(([a, i], [b, j]) => (a < b ? -1 : a > b ? 1 : 0) * (view.down ? -1 : 1) || i - j);
    const body = byId("runs").tBodies[0];
    const wanted = sorted.map(([, , run]) => {
      if (!shown.has(run.id)) shown.set(run.id, make(run.id));
      const made = shown.get(run.id);
      fill(made, run);
      return made.row;
    });
    /* Rows that stay where they are keep the focus. */
    if (wanted.length !== body.rows.length || wanted.some((row, index) => body.rows[index] !== row)) body.replaceChildren(...wanted);
    byId("count").textContent = (sorted.length === rows.length ? "" : sorted.length + " of ") + rows.length + (rows.length === 1 ? " run" : " runs");
    byId("nothing").hidden = sorted.length > 0;
  }
  function choose(id, on) {
    const at = chosen.indexOf(id);
    if (on && at < 0) chosen.push(id);
    if (!on && at >= 0) chosen.splice(at, 1);
    while (chosen.length > 2) { const first = chosen.shift(); if (shown.has(first)) shown.get(first).box.checked = false; }
    byId("compare").disabled = chosen.length !== 2;
    byId("chosen").textContent = chosen.length === 1 ? "one more to compare" : "";
  }
  byId("compare").addEventListener("click", () => { location.href = "/compare?" + new URLSearchParams({ a: chosen[0], b: chosen[1] }); });
  byId("words").addEventListener("input", event => { view.words = event.target.value; draw(); keep(); });
  byId("state").addEventListener("change", event => { view.state = event.target.value; draw(); keep(); });
  byId("filter").addEventListener("submit", event => event.preventDefault());

  async function ask() {
    try {
      const answer = await fetch("/runs.json", { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.status === 200) {
        tag = answer.headers.get("ETag");
        /* An id is a way to somewhere, and is shown by its name. */
        rows = JSON.parse(await answer.text(), (key, value) => key === "id" ? value : visible(key, value));
        const there = new Set(rows.map(run => run.id));
        for (const id of [...shown.keys()]) if (!there.has(id)) { choose(id, false); shown.delete(id); }
        draw();
      } else if (answer.status !== 304) throw new Error(String(answer.status));
      byId("link").textContent = "live"; byId("link").className = "word-valid";
    } catch (_) {
      byId("link").textContent = "no connection: what you see has ended"; byId("link").className = "word-unknown";
    }
    setTimeout(ask, EVERY_MS);
  }
  themeButton(byId("theme"), () => {});
  heads(); ask();
})();
