const charts = Array.from(document.querySelectorAll(".plotly-graph-div"));

// Charts follow the window's width; paper is narrower.
window.addEventListener("beforeprint", () => {
  for (const chart of charts) {
    Plotly.relayout(chart, { width: chart.parentElement.classList.contains("half") ? 320 : 680 });
  }
});
window.addEventListener("afterprint", () => {
  for (const chart of charts) Plotly.relayout(chart, { width: null, autosize: true });
});

// Charts over time: when another stretch of time is chosen, the heights follow what it holds.
const instant = (value) =>
  typeof value === "number" ? value : Date.parse(value.replace(" ", "T") + (value.includes(" ") ? "Z" : ""));
for (const chart of charts.filter((it) => it.parentElement.classList.contains("time"))) {
  chart.on("plotly_relayout", (change) => {
    const keys = Object.keys(change);
    if (!keys.some((key) => key.startsWith("xaxis.")) || keys.some((key) => key.startsWith("yaxis"))) {
      return;
    }
    if (change["xaxis.autorange"]) {
      Plotly.relayout(chart, { "yaxis.autorange": true, "yaxis2.autorange": true });
      return;
    }
    const [from, to] = chart.layout.xaxis.range.map(instant);
    const spans = {};
    for (const trace of chart.data) {
      const name = trace.yaxis === "y2" ? "yaxis2" : "yaxis";
      trace.x.forEach((x, place) => {
        const y = trace.y[place];
        if (x === null || y === null || x < from || x > to) return;
        const span = (spans[name] ??= [y, y]);
        span[0] = Math.min(span[0], y);
        span[1] = Math.max(span[1], y);
      });
    }
    const ranges = {};
    for (const [name, [low, high]] of Object.entries(spans)) {
      const room = (high - low || 1) * 0.05;
      ranges[`${name}.range`] = [low - room, high + room];
    }
    Plotly.relayout(chart, ranges);
  });
}
