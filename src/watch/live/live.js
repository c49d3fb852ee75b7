"use strict";
/* The live page: what the server says once a second, drawn. In: server-sent events, the whole past first. */
(() => {
  const KEPT = 900, EVENTS_MAX = 200, REGIONS_MAX = 100;
  const byId = id => document.getElementById(id);
  let samples = [], events = [], last = null, paused = false;
  const panels = Panels(byId("panels"), { label: "Throughput, latency, leaders and regions over time", clock: true,
    cursor: (x, clock, faults) => {
      byId("cursor").textContent = x === null ? "" : clock + (faults.length ? " · " + faults.map(f => f.label).join(", ") : "");
    } });
  zoomBar(byId("zoom"), () => panels);
  themeButton(byId("theme"), () => panels.redraw());

  /* A store's one name everywhere; the number is PD's id. */
  const named = id => "store-" + id;
  const names = pick => [...new Set(samples.flatMap(s => Object.keys(pick(s) || {})))].sort();
  const line = (name, tone, value, extra) => ({ name, tone, ...extra, values: samples.map(s => [s.at_ms, value(s)]).map(([x, y]) => [x, y === undefined ? null : y]) });
  const busy = kind => samples.some(s => s.operations[kind] && s.operations[kind].per_s > 0);

  /* Stretches in which something about a store was the same. */
  function stretches(store, word) {
    const made = [];
    for (const sample of samples) {
      const seen = sample.stores.find(s => s.id === store);
      const state = seen && word(seen);
      const open = made[made.length - 1];
      if (open && open.state === state) open.to = sample.at_ms;
      else { if (open) open.to = sample.at_ms; if (state) made.push({ state, from: sample.at_ms, to: sample.at_ms }); else if (open) made.push({ state, from: sample.at_ms, to: sample.at_ms }); }
    }
    return made.filter(s => s.state);
  }
  const downWord = seen => seen.process || (seen.answers ? "running" : "no answer");

  function faults() {
    const now = samples.length ? samples[samples.length - 1].at_ms : 0;
    if (last && last.tester) return last.tester.faults.map(f => ({ from: f.begin_ms, to: f.end_ms || now, label: f.name + (f.stores.length ? " of " + f.stores.map(named).join(", ") : "") }));
    const stores = [...new Set(samples.flatMap(s => s.stores.map(store => store.id)))];
    return stores.flatMap(id => stretches(id, downWord).filter(s => s.state !== "running").map(s => ({ from: s.from, to: s.to, label: named(id) + " " + s.state })));
  }

  function draw() {
    if (!samples.length) return;
    const kinds = names(s => s.operations).filter(busy);
    const stores = [...new Set(samples.flatMap(s => s.stores.map(store => store.id)))].sort((a, b) => a - b);
    const of = (sample, id) => sample.stores.find(store => store.id === id);
    const clients = names(s => s.tester && s.tester.operations);
    const made = [];
    if (clients.length) {
      made.push({ id: "client-ops", title: "Clients: operations a second", series: clients.flatMap((kind, tone) => [
        line(kind, tone, s => s.tester && (s.tester.operations[kind] ? s.tester.operations[kind].ok_per_s : 0)),
        line(kind + " failed or unknown", tone, s => s.tester && (s.tester.operations[kind] ? s.tester.operations[kind].error_per_s : 0), { dash: 2 })])
        .filter(series => !series.name.endsWith("unknown") || series.values.some(v => v[1] > 0)) });
      made.push({ id: "client-latency", title: "Clients: latency", unit: "ms", log: true, series: clients.flatMap((kind, tone) => [
        line(kind + " median", tone, s => s.tester && s.tester.operations[kind] && s.tester.operations[kind].p50_ms || undefined),
        line(kind + " 99 %", tone, s => s.tester && s.tester.operations[kind] && s.tester.operations[kind].p99_ms || undefined, { dash: 1 })]) });
    }
    made.push({ id: "ops", title: "Stores: requests a second", series: kinds.map((kind, tone) => line(kind, tone, s => s.operations[kind] && s.operations[kind].per_s)) });
    made.push({ id: "latency", title: "Stores: latency", unit: "ms", log: true, series: kinds.flatMap((kind, tone) => {
      const positive = (s, what) => s.operations[kind] && s.operations[kind].per_s > 0 && s.operations[kind][what] > 0 ? s.operations[kind][what] : undefined;
      return [line(kind + " median", tone, s => positive(s, "p50_ms")), line(kind + " 99 %", tone, s => positive(s, "p99_ms"), { dash: 1 })];
    }) });
    made.push({ id: "leaders", title: "Leaders per store", whole: true, height: 110, series: stores.map((id, tone) => line(named(id), tone, s => of(s, id) && of(s, id).leaders, { kind: "step" })) });
    made.push({ id: "regions", title: "Regions per store", whole: true, height: 110, series: stores.map((id, tone) => line(named(id), tone, s => of(s, id) && of(s, id).regions, { kind: "step" })) });
    const tones = { running: 2, stopped: 1, gone: "bad", "no answer": 4, Up: 2, Disconnected: 1, Down: "bad", unknown: 7 };
    made.push({ id: "processes", title: "Store processes", bands: false, lanes: stores.map(id => named(id)),
      legend: [{ name: "running", tone: 2, kind: "lane" }, { name: "stopped", tone: 1, kind: "lane" }, { name: "gone", tone: "bad", kind: "lane" }],
      segments: stores.flatMap((id, lane) => stretches(id, downWord).map(s => ({ lane, from: s.from, to: s.to, tone: tones[s.state] ?? 7, hatched: s.state !== "running", faint: s.state === "running", label: s.state === "running" ? "" : s.state }))) });
    const now = samples[samples.length - 1].at_ms;
    panels.limits(samples[0].at_ms, Math.max(now, samples[0].at_ms + 20000));
    panels.show(made, faults());
  }

  const cell = (row, text, attributes) => {
    const made = document.createElement("td");
    if (attributes && attributes.state) { const span = document.createElement("span"); span.className = "state " + attributes.state; span.textContent = text; made.append(span); }
    else made.textContent = text;
    if (attributes && attributes.number) made.className = "n";
    row.append(made);
  };
  function tables(sample) {
    const body = byId("stores"); body.replaceChildren();
    for (const store of sample.stores) {
      const row = document.createElement("tr");
      cell(row, named(store.id)); cell(row, store.address); cell(row, store.status_address || "–");
      cell(row, store.pid ?? "–", { number: true });
      const process = store.process || (store.answers ? "running" : "no answer");
      cell(row, process, { state: process.replace(" ", "-") }); cell(row, store.state, { state: store.state });
      cell(row, store.leaders, { number: true }); cell(row, store.regions, { number: true });
      body.append(row);
    }
    const regions = byId("ranges"); regions.replaceChildren();
    for (const region of sample.regions.slice(0, REGIONS_MAX)) {
      const row = document.createElement("tr"), leads = region.leader !== undefined && region.leader !== null;
      cell(row, region.id, { number: true }); cell(row, leads ? named(region.leader) : "none");
      cell(row, region.keys ?? "–", { number: true });
      cell(row, region.voters.concat(region.learners || []).map(named).join(" ")); cell(row, region.range || "–");
      regions.append(row);
    }
    byId("more-regions").textContent = sample.regions.length > REGIONS_MAX ? "and " + (sample.regions.length - REGIONS_MAX) + " more" : "";
    const ops = byId("operations"); ops.replaceChildren();
    const rows = sample.tester ? Object.entries(sample.tester.operations).map(([kind, o]) => ["clients: " + kind, o.ok_per_s, undefined, o.p50_ms, o.p99_ms, o.error_per_s]) : [];
    for (const [kind, o] of Object.entries(sample.operations)) rows.push([kind, o.per_s, o.mean_ms, o.p50_ms, o.p99_ms, undefined]);
    for (const [kind, ...numbers] of rows) {
      const row = document.createElement("tr");
      cell(row, kind);
      for (const number of numbers) cell(row, number === undefined ? "–" : number >= 100 ? Math.round(number) : number.toFixed(number < 1 ? 2 : 1), { number: true });
      ops.append(row);
    }
    byId("regions").textContent = sample.regions.length + " regions, " + sample.regions.filter(r => r.leader === undefined || r.leader === null).length + " without a leader";
    byId("pd").textContent = sample.pd_error || "PD answers";
    byId("pd").className = sample.pd_error ? "word-invalid" : "word-valid";
    const tester = sample.tester;
    byId("progress").textContent = tester ? tester.phase + (tester.length_s ? ": " + Math.round(tester.elapsed_s) + " of " + Math.round(tester.length_s) + " s" : "") + (tester.in_force.length ? " · in force: " + tester.in_force.join(", ") : "") : "";
  }
  function list() {
    const host = byId("events"); host.replaceChildren();
    for (const event of events.slice(-EVENTS_MAX).reverse()) {
      const item = document.createElement("li"), time = document.createElement("time");
      time.textContent = new Date(event.at_ms).toLocaleTimeString([], { hour12: false });
      item.append(time, document.createTextNode(event.text));
      host.append(item);
    }
    if (!events.length) { const item = document.createElement("li"); item.className = "dim"; item.textContent = "nothing yet"; host.append(item); }
  }
  function take(update) {
    last = update;
    samples.push(update); if (samples.length > KEPT) samples.shift();
    events.push(...update.events); if (events.length > EVENTS_MAX) events.splice(0, events.length - EVENTS_MAX);
  }
  function all() { tables(last); list(); if (!paused) draw(); }

  byId("pause").addEventListener("click", event => {
    paused = !paused;
    event.target.textContent = paused ? "Go on" : "Hold";
    event.target.setAttribute("aria-pressed", String(paused));
    if (!paused && last) draw();
  });
  window.panels = panels;
  const source = new EventSource("events");
  source.addEventListener("past", event => {
    samples = []; events = [];
    for (const update of JSON.parse(event.data, visible)) take(update);
    if (last) all();
    byId("link").textContent = "live"; byId("link").className = "word-valid";
  });
  source.addEventListener("sample", event => { take(JSON.parse(event.data, visible)); all(); });
  source.addEventListener("error", () => { byId("link").textContent = "no connection: what you see has ended"; byId("link").className = "word-unknown"; });
})();
