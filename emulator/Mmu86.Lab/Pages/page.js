"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const palettes = {
    light: {
      text: "#1b1f24", faint: "#57606a", line: "#d0d7de", ground: "#ffffff", panel: "#ffffff",
      series: ["#0067a5", "#c2410c", "#0b7a5b", "#9b3d86", "#5a5f66", "#8a6d00", "#2f9bd6"],
      // From few to many.
      heat: ["#eef4fa", "#b7d3ea", "#6ea8d6", "#2f76b5", "#164b86", "#0a2748"],
      // From notice to alarm.
      bands: ["#fff0b8", "#ffd0a1", "#f7a8a8"],
    },
    dark: {
      text: "#e6e9ec", faint: "#a0a9b2", line: "#363c44", ground: "#14171b", panel: "#262b32",
      series: ["#56b4e9", "#ff9d5c", "#4fd1a5", "#e49bd0", "#b8bec6", "#f0d060", "#2f8fd0"],
      heat: ["#1b2733", "#1f4468", "#2a6fa8", "#4e9bd4", "#93c8ee", "#e8f4fd"],
      bands: ["#4a4212", "#5c3614", "#661f24"],
    },
  };
  const symbols = ["circle", "rect", "triangle", "diamond", "roundRect", "pin", "arrow"];
  const printWidth = 660;
  const charts = [];
  let printing = false;

  const palette = () => palettes[dark.matches && !printing ? "dark" : "light"];

  const count = (value) => Math.round(value).toLocaleString("en-US");
  const number = (value) => (Math.abs(value) >= 1000 ? count(value) : String(Number(value.toPrecision(3))));
  const ratio = (value) => {
    const percent = value * 100;
    if (percent === 0) return "0%";
    if (percent < 0.001) return "<0.001%";
    return percent.toFixed(percent < 1 ? 3 : percent < 10 ? 2 : 1) + "%";
  };
  const exact = { count, number, ratio };

  // Short enough for axes.
  const shorten = (value) => {
    for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(value) >= unit) return String(Number((value / unit).toPrecision(3))) + name;
    }
    return String(Number(value.toPrecision(3)));
  };
  const short = {
    count: shorten,
    number: shorten,
    ratio: (value) => String(Number((value * 100).toPrecision(3))) + "%",
  };

  const element = (name, text) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // Built from elements, never from markup: names are the guest's.
  const tip = (title, lines) => {
    const box = element("div");
    box.className = "tip";
    box.append(element("b", title));
    for (const [name, value] of lines) {
      const line = element("div");
      line.append(element("span", name), element("span", value));
      box.append(line);
    }
    return box;
  };

  // A logarithmic axis shows exponents of two, so that its marks are powers of two.
  const axis = (colours, description, more) => ({
    type: "value",
    name: description.name,
    nameTextStyle: { color: colours.faint },
    axisLabel: { color: colours.faint, formatter: description.log ? (exponent) => exact[description.format](2 ** exponent) : short[description.format], hideOverlap: true },
    ...(description.log ? { interval: 1 } : {}),
    axisLine: { show: true, lineStyle: { color: colours.line } },
    splitLine: { lineStyle: { color: colours.line, opacity: 0.6 } },
    ...more,
  });

  const base = (colours) => ({
    animation: false,
    color: colours.series,
    textStyle: { color: colours.text, fontFamily: getComputedStyle(document.body).fontFamily },
    tooltip: {
      confine: true,
      triggerOn: "mousemove|click",
      backgroundColor: colours.panel,
      borderColor: colours.line,
      textStyle: { color: colours.text },
    },
    legend: { show: false },
  });

  // Shaded in the first series, which is drawn first: below all lines.
  const shaded = (data, colours) => (data.bands ? {
    markArea: {
      silent: true,
      data: data.bands.map((band) => [{ xAxis: band.from, itemStyle: { color: colours.bands[band.tone] } }, { xAxis: band.to }]),
    },
  } : {});

  const bandLegend = (data, colours) => [...new Map((data.bands || []).map((band) => [band.name, band.tone]))]
    .sort((a, b) => a[1] - b[1])
    .map(([name, tone]) => ({ name, colour: colours.bands[tone] }));

  const lines = (data, colours) => ({
    legend: [
      ...data.series.map((series, index) => ({ name: series.name, colour: colours.series[index % colours.series.length], toggles: true })),
      ...bandLegend(data, colours),
    ],
    height: () => 340,
    option: () => {
      const shown = base(colours);
      shown.tooltip.trigger = "axis";
      shown.tooltip.formatter = (points) => tip(
        `${data.x.name}: ${exact[data.x.format](points[0].value[2])}`,
        points.map((point) => [point.seriesName, exact[data.y.format](point.value[1])]));
      shown.grid = { left: 8, right: 18, top: 28, bottom: 26, containLabel: true };
      shown.xAxis = axis(colours, data.x, { nameLocation: "middle", nameGap: 28, splitLine: { show: false }, ...(data.x.log ? { min: (range) => Math.floor(range.min), max: (range) => Math.ceil(range.max) } : { min: "dataMin", max: "dataMax" }) });
      shown.yAxis = axis(colours, data.y, { nameLocation: "end", nameTextStyle: { color: colours.faint, align: "left" } });
      shown.series = data.series.map((series, index) => ({
        type: "line",
        name: series.name,
        data: series.points.map(([x, y]) => [data.x.log ? Math.log2(x) : x, y, x]),
        symbol: symbols[index % symbols.length],
        symbolSize: 7,
        showSymbol: data.style === "points",
        ...(data.style === "points" ? {} : { areaStyle: { opacity: data.style === "stacked" ? 0.6 : 0.12 }, sampling: "lttb" }),
        ...(data.style === "stacked" ? { stack: "all" } : {}),
        lineStyle: { width: 2 },
        ...(index === 0 ? shaded(data, colours) : {}),
      }));
      return shown;
    },
  });

  const bars = (data, colours) => ({
    legend: data.series.length < 2 ? [] : data.series.map((series, index) => ({ name: series.name, colour: colours.series[index % colours.series.length], toggles: true })),
    height: (width) => 70 + data.categories.length * Math.max(width < 500 ? 34 : 26, 12 + 14 * (data.stacked ? 1 : data.series.length)),
    option: (width) => {
      const shown = base(colours);
      shown.tooltip.trigger = "axis";
      shown.tooltip.axisPointer = { type: "shadow" };
      shown.tooltip.formatter = (points) => {
        const known = points.filter((point) => point.value !== null && point.value !== undefined);
        const shownLines = known.map((point) => [point.seriesName, exact[data.value.format](point.value)]);
        if (data.stacked) shownLines.push(["all", exact[data.value.format](known.reduce((sum, point) => sum + point.value, 0))]);
        return tip(data.categories[points[0].dataIndex], shownLines);
      };
      shown.grid = { left: 4, right: 24, top: 8, bottom: 26, containLabel: true };
      shown.xAxis = axis(colours, data.value, { nameLocation: "middle", nameGap: 28, min: 0, splitNumber: width < 500 ? 3 : 6 });
      shown.yAxis = {
        type: "category",
        // Positions, not names: two categories may have the same name.
        data: data.categories.map((_, index) => index),
        inverse: true,
        axisTick: { show: false },
        axisLine: { lineStyle: { color: colours.line } },
        axisLabel: {
          color: colours.text,
          interval: 0,
          width: Math.min(Math.round(width * 0.42), 12 + 7 * Math.max(...data.categories.map((name) => name.length))),
          overflow: "break",
          fontSize: width < 500 ? 11 : 12,
          lineHeight: 13,
          formatter: (index) => data.categories[index],
        },
      };
      shown.series = data.series.map((series) => ({
        type: "bar",
        name: series.name,
        data: series.values,
        barMaxWidth: 16,
        ...(data.stacked ? { stack: "all" } : {}),
        itemStyle: { borderColor: colours.ground, borderWidth: data.stacked ? 1 : 0 },
      }));
      return shown;
    },
  });

  // Bounds 1, 3, 10, 30 ... around the values: differences far below the largest value are what a reader looks for.
  const bounds = (values) => {
    const positive = values.filter((value) => value > 0);
    if (positive.length === 0) return [0];
    const least = Math.min(...positive);
    const most = Math.max(...positive);
    const found = [];
    for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++) {
      found.push(Number(`1e${power}`), Number(`3e${power}`));
    }
    let first = 0;
    while (first + 1 < found.length && found[first + 1] <= least) first++;
    let last = found.length - 1;
    while (last > first && found[last] >= most) last--;
    return found.slice(first, last + 1);
  };

  const mix = (from, to, part) => "#" + [1, 3, 5].map((at) => {
    const a = parseInt(from.slice(at, at + 2), 16);
    const b = parseInt(to.slice(at, at + 2), 16);
    return Math.round(a + (b - a) * part).toString(16).padStart(2, "0");
  }).join("");

  const shade = (stops, part) => {
    const place = part * (stops.length - 1);
    const index = Math.min(stops.length - 2, Math.floor(place));
    return mix(stops[index], stops[index + 1], place - index);
  };

  const luminance = (colour) => [1, 3, 5].reduce((sum, at, index) => sum + parseInt(colour.slice(at, at + 2), 16) * [0.299, 0.587, 0.114][index], 0);

  const heat = (data, colours) => {
    // The last ones are drawn over their neighbours: a frame shall not be covered.
    const cells = [...data.cells].sort((a, b) => a.chosen - b.chosen);
    const steps = bounds(data.cells.map((cell) => cell.value));
    const step = (value) => {
      let index = 0;
      while (index + 1 < steps.length && value >= steps[index + 1]) index++;
      return index;
    };
    const colour = (index) => (steps.length < 2 ? colours.heat[2] : shade(colours.heat, index / (steps.length - 1)));
    const format = exact[data.value.format];
    const brief = short[data.value.format];
    return {
      legend: steps.map((_, index) => ({
        name: index + 1 === steps.length ? `${brief(steps[index])} and more` : `${index === 0 ? "less than" : `${brief(steps[index])} to`} ${brief(steps[index + 1])}`,
        colour: colour(index),
      })),
      legendTitle: data.value.name,
      height: () => 60 + data.y.values.length * 26,
      option: (width) => {
        const shown = base(colours);
        const hasLabels = (width - 60) / data.x.values.length >= 46;
        shown.tooltip.formatter = (point) => {
          const cell = cells[point.dataIndex];
          return tip(`${data.x.name} ${data.x.values[cell.x]}, ${data.y.name} ${data.y.values[cell.y]}`, [[data.value.name, format(cell.value)], [cell.detail, ""]]);
        };
        shown.grid = { left: 26, right: 8, top: 8, bottom: 26, containLabel: true };
        const list = (description, gap) => ({
          type: "category",
          data: description.values,
          name: description.name,
          nameLocation: "middle",
          nameGap: gap,
          nameTextStyle: { color: colours.faint },
          axisTick: { show: false },
          axisLine: { lineStyle: { color: colours.line } },
          axisLabel: { color: colours.text, interval: "auto", hideOverlap: true },
          splitArea: { show: false },
        });
        shown.xAxis = list(data.x, 28);
        shown.yAxis = { ...list(data.y, 32), axisLabel: { color: colours.text, interval: 0 } };
        shown.series = [{
          type: "heatmap",
          data: cells.map((cell) => {
            const fill = colour(step(cell.value));
            return {
              value: [cell.x, cell.y, cell.value],
              itemStyle: { color: fill, borderColor: cell.chosen ? (luminance(colours.ground) > 128 ? "#d0021b" : "#ffb300") : colours.ground, borderWidth: cell.chosen ? 3 : 1 },
              label: { show: hasLabels, color: luminance(fill) > 140 ? "#10151a" : "#ffffff", fontSize: 11, formatter: () => brief(cell.value) },
            };
          }),
          emphasis: { itemStyle: { borderColor: colours.text, borderWidth: 2 } },
        }];
        return shown;
      },
    };
  };

  const kinds = { lines, bars, heat };

  const legendOf = (chart, drawing) => {
    chart.legend.replaceChildren();
    if (drawing.legendTitle) chart.legend.append(element("span", `${drawing.legendTitle}:`));
    for (const item of drawing.legend) {
      const shown = element(item.toggles ? "button" : "span");
      const swatch = element("i");
      swatch.style.background = item.colour;
      shown.append(swatch, element("span", item.name));
      if (item.toggles) {
        shown.type = "button";
        shown.setAttribute("aria-pressed", String(!chart.hidden.has(item.name)));
        shown.addEventListener("click", () => {
          if (!chart.hidden.delete(item.name)) chart.hidden.add(item.name);
          draw(chart);
        });
      }
      chart.legend.append(shown);
    }
  };

  const draw = (chart) => {
    const width = printing ? printWidth : chart.plot.clientWidth;
    if (width === 0) return;
    const drawing = kinds[chart.data.kind](chart.data, palette());
    legendOf(chart, drawing);
    const height = drawing.height(width);
    chart.plot.style.height = `${height}px`;
    chart.drawn = chart.drawn || echarts.init(chart.plot, null, { renderer: "svg", width, height });
    chart.drawn.resize({ width, height });
    const option = drawing.option(width);
    option.legend.selected = Object.fromEntries([...chart.hidden].map((name) => [name, false]));
    option.legend.data = drawing.legend.map((item) => item.name);
    chart.drawn.setOption(option, { notMerge: true });
    chart.width = width;
  };

  for (const plot of document.querySelectorAll(".plot")) {
    const legend = element("div");
    legend.className = "legend";
    plot.before(legend);
    charts.push({ plot, legend, hidden: new Set(), data: JSON.parse(plot.nextElementSibling.textContent) });
  }

  const drawAll = () => charts.forEach(draw);
  drawAll();
  dark.addEventListener("change", drawAll);
  addEventListener("resize", () => charts.filter((chart) => chart.width !== chart.plot.clientWidth).forEach(draw));
  addEventListener("beforeprint", () => { printing = true; drawAll(); });
  addEventListener("afterprint", () => { printing = false; drawAll(); });
})();
