"use strict";
/* Panels under one another that share a time axis: lines, quantile bands, points, and lanes of coloured stretches.
   In: a description of the panels as data. Out: one ECharts chart, a heading with a legend for each panel, zoom and
   cursor for all of them together, by pointer and by keyboard. It does not know what the numbers mean. */

const Panels = (() => {
  const SLOTS = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7"];
  const DASHES = ["solid", [7, 3], [2, 3], [9, 3, 2, 3]];
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = tone => typeof tone === "number" ? css(SLOTS[tone % SLOTS.length]) : css("--" + tone);
  /* From the fifth on lines are dashed, so that no two are told apart by colour alone for long. */
  const dash = series => DASHES[(series.dash ?? Math.floor((series.tone || 0) / 4)) % DASHES.length];
  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const short = value => {
    if (value === undefined || value === null || Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    if (size >= 1e6) return (value / 1e6).toFixed(1) + "M";
    if (size >= 1e4) return (value / 1e3).toFixed(1) + "k";
    if (size >= 100 || Number.isInteger(value)) return String(Math.round(value));
    return size >= 1 ? value.toFixed(1) : value.toPrecision(2);
  };
  /* The last point at or before x, if it is not further away than the gap that the series itself has. */
  const valueAt = (points, x, reach) => {
    let low = 0, high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] <= x) low = middle + 1; else high = middle;
    }
    const before = points[low - 1], after = points[low];
    let found = before;
    if (after && (!before || after[0] - x < x - before[0])) found = reach === Infinity ? before : after;
    return found && Math.abs(found[0] - x) <= reach ? found : undefined;
  };

  /* Values that follow one another without a hole. */
  const runs = (values, reach) => {
    const found = [];
    values.forEach((value, index) => {
      if (index && value[0] - values[index - 1][0] <= (reach ?? Infinity) * 1.5) found[found.length - 1].push(value);
      else found.push([value]);
    });
    return found;
  };
  /* Powers of ten around all values of a panel. */
  const decades = panel => {
    let low = Infinity, high = -Infinity;
    for (const series of panel.series) for (const value of series.values) for (const y of value.slice(1)) {
      if (y > 0) { low = Math.min(low, y); high = Math.max(high, y); }
    }
    return low > high ? {} : { min: 10 ** Math.floor(Math.log10(low)), max: 10 ** Math.ceil(Math.log10(high * 1.0001)) };
  };

  return function (host, options) {
    let panels = [], faults = [], cursor = null, window_ = null;
    const hidden = new Set();
    host.classList.add("panels");
    const canvas = element("div", { class: "canvas", tabindex: "0", role: "img",
      "aria-label": options.label + ". Keys: left and right move the cursor, + and - zoom, shift with left and right moves the view, 0 shows all." });
    host.append(canvas);
    let heads = [];
    const chart = echarts.init(canvas, null, { renderer: "canvas" });
    const narrow = () => host.clientWidth < 600;
    const clock = x => options.clock ? new Date(x).toLocaleTimeString([], { hour12: false }) : x.toFixed(x < 10 ? 3 : 2) + " s";

    function swatch(series) {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("width", 22); svg.setAttribute("height", 10); svg.setAttribute("aria-hidden", "true");
      const mark = document.createElementNS(svg.namespaceURI, series.kind === "points" ? "circle" : series.kind === "band" || series.kind === "lane" ? "rect" : "line");
      const set = (key, value) => mark.setAttribute(key, value);
      if (series.kind === "points") { set("cx", 11); set("cy", 5); set("r", 3); set("fill", colour(series.tone)); }
      else if (series.kind === "band" || series.kind === "lane") {
        set("width", 22); set("height", 10); set("fill", colour(series.tone)); set("fill-opacity", series.kind === "band" ? .3 : 1);
      } else {
        set("x2", 22); set("y1", 5); set("y2", 5); set("stroke", colour(series.tone)); set("stroke-width", 2.5);
        const dashed = dash(series); if (dashed !== "solid") set("stroke-dasharray", dashed.join(" "));
      }
      svg.append(mark);
      return svg;
    }

    function drawHeads() {
      heads.forEach(head => head.remove());
      heads = panels.map(panel => {
        const head = element("div", { class: "head" }, element("b", {}, panel.title));
        const keys = panel.lanes ? panel.legend || [] : panel.series;
        for (const series of keys) {
          const id = panel.id + "/" + series.name;
          const value = element("output", {});
          const key = element(panel.lanes ? "span" : "button", panel.lanes ? { class: "key" } : { class: "key", type: "button", "aria-pressed": String(!hidden.has(id)) },
            swatch(series), document.createTextNode(series.name), value);
          series.output = value;
          if (!panel.lanes) key.addEventListener("click", () => {
            if (!hidden.delete(id)) hidden.add(id);
            draw();
          });
          head.append(key);
        }
        if (panel.lanes) head.append(panel.output = element("output", {}));
        host.append(head);
        return head;
      });
    }

    /* A rectangle from one moment to another in a lane, cut at the panel's edge. */
    const stretch = panel => (params, api) => {
      const [from, to] = [api.coord([api.value(0), api.value(2)]), api.coord([api.value(1), api.value(2)])];
      const height = Math.max(3, Math.min(22, api.size([0, 1])[1] * .72));
      const shape = echarts.graphic.clipRectByRect(
        { x: from[0], y: from[1] - height / 2, width: Math.max(1.5, to[0] - from[0]), height },
        { x: params.coordSys.x, y: params.coordSys.y, width: params.coordSys.width, height: params.coordSys.height });
      if (!shape) return;
      const segment = panel.segments[params.dataIndex];
      const fill = colour(segment.tone);
      const children = [{ type: "rect", shape, style: { fill, opacity: segment.faint ? .45 : .95 } }];
      /* Stopped and killed are told by hatching too, not by colour alone. */
      if (segment.hatched) for (let x = shape.x - shape.height; x < shape.x + shape.width; x += 7) {
        const x1 = Math.max(shape.x, x), x2 = Math.min(shape.x + shape.width, x + shape.height);
        if (x2 > x1) children.push({ type: "line", shape: { x1, y1: shape.y + shape.height - (x1 - x), x2, y2: shape.y + shape.height - (x2 - x) },
          style: { stroke: css("--paper"), lineWidth: 1.5 } });
      }
      const room = Math.floor(shape.width / 6.6);
      if (segment.label && room >= 2 && shape.height >= 11) children.push({ type: "text", style: {
        x: shape.x + 4, y: shape.y + shape.height / 2, text: segment.label.length > room ? segment.label.slice(0, Math.max(1, room - 1)) + "…" : segment.label,
        fill: css("--paper"), font: "11px system-ui, sans-serif", textVerticalAlign: "middle",
        /* Hatching would run through the letters. */
        ...(segment.hatched ? { backgroundColor: fill, padding: [1, 3] } : {}) } });
      return { type: "group", children };
    };

    function seriesOf(panel, index) {
      const axes = { xAxisIndex: index, yAxisIndex: index, animation: false };
      const made = [{ id: panel.id + "/faults", type: "line", ...axes, data: [], silent: true, showSymbol: false,
        markArea: { silent: true, animation: false, data: panel.bands === false ? [] : faults.map(fault => [
          { xAxis: fault.from, itemStyle: { color: css("--fault-wash"), borderColor: css("--fault"), borderWidth: .5, borderType: "dashed" } },
          { xAxis: fault.to }]) } }];
      if (panel.lanes) {
        made.push({ id: panel.id + "/lanes", type: "custom", ...axes, renderItem: stretch(panel), silent: true, clip: true,
          encode: { x: [0, 1], y: 2 }, data: panel.segments.map(s => [s.from, s.to, s.lane]) });
        return made;
      }
      for (const series of panel.series) {
        const id = panel.id + "/" + series.name;
        const shown = !hidden.has(id);
        const tone = colour(series.tone);
        if (series.kind === "band") {
          /* One datum, the highest point, stands for all: it makes the axis reach far enough. */
          const highest = series.values.reduce((best, v) => !best || v[2] > best[2] ? v : best, undefined);
          made.push({ id, type: "custom", ...axes, silent: true, clip: true, encode: { x: 0, y: 1 },
            data: shown && highest ? [[highest[0], highest[2]]] : [],
            renderItem: (params, api) => ({ type: "group", silent: true, children: runs(series.values, panel.reach).map(run => {
              const upper = run.map(v => api.coord([v[0], v[2]]));
              const lower = run.map(v => api.coord([v[0], v[1]])).reverse();
              return { type: "polygon", shape: echarts.graphic.clipPointsByRect ? { points: echarts.graphic.clipPointsByRect(upper.concat(lower), params.coordSys) } : { points: upper.concat(lower) },
                style: { fill: tone, opacity: .28 } };
            }) }) });
        } else if (series.kind === "points") {
          made.push({ id, type: "scatter", ...axes, data: shown ? series.values : [], symbolSize: series.values.length > 2000 ? 3 : 5, large: true, largeThreshold: 2000,
            silent: true, itemStyle: { color: tone, opacity: .55 }, symbol: ["circle", "rect", "triangle", "diamond"][series.tone % 4] });
        } else {
          made.push({ id, type: "line", ...axes, data: shown ? series.values : [], showSymbol: series.values.length < 3, sampling: "lttb", connectNulls: false,
            step: series.kind === "step" ? "end" : false, silent: true, emphasis: { disabled: true },
            lineStyle: { color: tone, width: 1.8, type: dash(series) }, itemStyle: { color: tone },
            areaStyle: series.area ? { color: tone, opacity: .15 } : undefined });
        }
      }
      return made;
    }

    function draw() {
      drawHeads();
      const left = narrow() ? 58 : 96, right = narrow() ? 8 : 16;
      let y = 0;
      const grids = panels.map((panel, index) => {
        heads[index].style.top = y + "px";
        heads[index].style.paddingLeft = "4px";
        y += heads[index].offsetHeight + 6;
        const height = panel.lanes ? Math.max(24, panel.lanes.length * (panel.laneHeight || 20)) : panel.height || (narrow() ? 120 : 150);
        const grid = { left, right, top: y, height };
        y += height + 26;
        return grid;
      });
      canvas.style.height = y + 46 + "px";
      chart.resize();
      const ink = css("--ink"), dim = css("--dim"), line = css("--line");
      const text = { color: dim, fontSize: 11 };
      const everywhere = panels.map((_, index) => index);
      const xAxis = panels.map((panel, index) => ({
        type: options.clock ? "time" : "value", gridIndex: index, min: options.from, max: options.to, scale: true,
        axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, splitLine: { show: true, lineStyle: { color: line, opacity: .5 } },
        axisLabel: { ...text, hideOverlap: true, alignMaxLabel: "right", alignMinLabel: "left", formatter: options.clock ? undefined : value => short(value) + " s" }, splitNumber: narrow() ? 4 : 8,
        axisPointer: { show: true, snap: false, label: { show: false }, lineStyle: { color: ink, width: 1, type: "solid" } },
      }));
      const yAxis = panels.map((panel, index) => panel.lanes ? {
        type: "category", gridIndex: index, data: panel.lanes, inverse: true, axisTick: { show: false }, axisLine: { show: false }, splitLine: { show: false },
        axisPointer: { show: false }, axisLabel: { ...text, interval: 0, width: left - 8, overflow: "truncate", fontSize: narrow() ? 9 : 11 },
      } : {
        type: panel.log ? "log" : "value", gridIndex: index, ...(panel.log ? decades(panel) : { min: 0 }), minInterval: panel.whole ? 1 : undefined, splitNumber: 3,
        axisPointer: { show: false }, axisLabel: { ...text, formatter: value => short(value) + (panel.unit && !narrow() ? " " + panel.unit : "") },
        splitLine: { lineStyle: { color: line, opacity: .5 } },
      });
      const zoom = window_ || { start: 0, end: 100 };
      chart.setOption({
        animation: false, backgroundColor: "transparent", textStyle: { fontFamily: "system-ui, sans-serif" },
        grid: grids, xAxis, yAxis, series: panels.flatMap(seriesOf),
        tooltip: { show: true, trigger: "axis", showContent: false, confine: true },
        axisPointer: { link: [{ xAxisIndex: "all" }], triggerOn: "mousemove|click" },
        toolbox: { show: true, itemSize: 0, top: -40, feature: { dataZoom: { yAxisIndex: false, xAxisIndex: everywhere } } },
        dataZoom: [
          { id: "inside", type: "inside", xAxisIndex: everywhere, zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, moveOnMouseWheel: false, preventDefaultMouseMove: false, filterMode: "none", ...zoom },
          { id: "slider", type: "slider", xAxisIndex: everywhere, bottom: 8, left, right, height: 26, filterMode: "none", showDataShadow: false, brushSelect: false,
            borderColor: line, fillerColor: css("--fault-wash"), textStyle: text, labelFormatter: (_, value) => options.clock ? clock(Number(value)) : Number(value).toFixed(1) + " s", ...zoom }],
      }, { replaceMerge: ["series", "grid", "xAxis", "yAxis"] });
      /* Dragging over the panels chooses a stretch of time. */
      chart.dispatchAction({ type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: true });
      tell(cursor);
    }

    function tell(x) {
      cursor = x;
      for (const panel of panels) {
        if (panel.lanes) {
          const there = x === null ? [] : panel.segments.filter(s => s.from <= x && x < s.to && s.label);
          panel.output.textContent = there.slice(0, 6).map(s => panel.lanes[s.lane] + ": " + s.label).join(" · ");
          continue;
        }
        for (const series of panel.series) {
          const found = x === null ? undefined : valueAt(series.values, x, series.kind === "step" ? Infinity : panel.reach || Infinity);
          const value = found && (series.kind === "band" ? short(found[1]) + "–" + short(found[2]) : short(found[1]));
          series.output.textContent = x === null ? "" : value === undefined ? "–" : value + (panel.unit ? " " + panel.unit : "");
        }
      }
      if (options.cursor) options.cursor(x, x === null ? "" : clock(x), x === null ? [] : faults.filter(f => f.from <= x && x <= f.to));
    }

    const extent = () => {
      const axis = chart.getModel().getComponent("xAxis", 0).axis.scale.getExtent();
      return axis;
    };
    const whole = () => {
      const proxies = panels.flatMap(panel => panel.lanes ? panel.segments.flatMap(s => [s.from, s.to]) : panel.series.flatMap(s => s.values.length ? [s.values[0][0], s.values[s.values.length - 1][0]] : []));
      return [options.from ?? Math.min(...proxies), options.to ?? Math.max(...proxies)];
    };
    function zoomTo(from, to) {
      const [first, last] = whole();
      const width = Math.max((last - first) / 1e5, Math.min(last - first, to - from));
      const start = Math.max(first, Math.min(last - width, from));
      chart.dispatchAction({ type: "dataZoom", dataZoomIndex: 0, startValue: start, endValue: start + width });
    }
    function zoomBy(factor) {
      const [from, to] = extent();
      const middle = cursor !== null && cursor >= from && cursor <= to ? cursor : (from + to) / 2;
      zoomTo(middle - (middle - from) * factor, middle + (to - middle) * factor);
    }
    const all = () => { window_ = null; chart.dispatchAction({ type: "dataZoom", dataZoomIndex: 0, start: 0, end: 100 }); };
    function moveCursor(x) {
      const [from, to] = extent();
      const place = Math.max(from, Math.min(to, x));
      const pixel = chart.convertToPixel({ xAxisIndex: 0 }, place);
      const grid = chart.getModel().getComponent("grid", 0).coordinateSystem.getRect();
      chart.dispatchAction({ type: "showTip", x: pixel, y: grid.y + grid.height / 2 });
      tell(place);
    }

    chart.on("updateAxisPointer", event => {
      const info = event.axesInfo && event.axesInfo[0];
      if (info) tell(info.value);
    });
    chart.on("datazoom", () => {
      const zoom = chart.getOption().dataZoom[0];
      window_ = zoom.start <= .001 && zoom.end >= 99.999 ? null : { startValue: zoom.startValue, endValue: zoom.endValue };
    });
    chart.getZr().on("dblclick", all);
    canvas.addEventListener("keydown", event => {
      const [from, to] = extent();
      const step = (to - from) / (event.ctrlKey ? 400 : 60);
      const sign = event.key === "ArrowLeft" ? -1 : 1;
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
        if (event.shiftKey) zoomTo(from + sign * (to - from) / 5, to + sign * (to - from) / 5);
        else moveCursor((cursor === null ? (from + to) / 2 : cursor) + sign * step);
      } else if (event.key === "+" || event.key === "=") zoomBy(.6);
      else if (event.key === "-") zoomBy(1 / .6);
      else if (event.key === "0" || event.key === "Home") all();
      else return;
      event.preventDefault();
    });
    let width = 0;
    new ResizeObserver(() => { if (host.clientWidth !== width) { width = host.clientWidth; if (panels.length) draw(); } }).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => panels.length && draw());

    return {
      /* Draws these panels; `bands` are stretches of time that are shaded across all. */
      show(newPanels, bands) { panels = newPanels; faults = bands || []; draw(); },
      limits(from, to) { options.from = from; options.to = to; },
      /* The cursor of other panels is there. */
      point(x) { if (panels.length) tell(x); },
      redraw: draw, zoomTo, zoomBy, all, chart, moveCursor, extent,
    };
  };
})();

/* Buttons for what the keys do, and the line that tells where the cursor is. */
function zoomBar(host, panels) {
  for (const [label, name, act] of [["−", "Zoom out", p => p.zoomBy(1 / .6)], ["+", "Zoom in", p => p.zoomBy(.6)], ["All", "Show all", p => p.all()]]) {
    const button = document.createElement("button");
    button.type = "button"; button.textContent = label; button.title = name; button.setAttribute("aria-label", name);
    button.addEventListener("click", () => act(panels()));
    host.append(button, " ");
  }
}
