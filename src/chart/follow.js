// When another stretch of time is chosen, the price axis follows the candles in it.
const chart = document.querySelector(".plotly-graph-div");
const candles = chart.data.find((trace) => trace.type === "candlestick");
const instant = (value) =>
  typeof value === "number" ? value : Date.parse(value.replace(" ", "T") + (value.includes(" ") ? "Z" : ""));
chart.on("plotly_relayout", (change) => {
  const keys = Object.keys(change);
  if (!keys.some((key) => key.startsWith("xaxis.")) || keys.some((key) => key.startsWith("yaxis."))) return;
  const [from, to] = chart.layout.xaxis.range.map(instant);
  const shown = candles.x.map((x, place) => place).filter((place) => candles.x[place] >= from && candles.x[place] <= to);
  if (shown.length === 0) return;
  const low = Math.min(...shown.map((place) => candles.low[place]));
  const high = Math.max(...shown.map((place) => candles.high[place]));
  const room = (high - low || 1) * 0.08;
  Plotly.relayout(chart, { "yaxis.range": [low - room, high + room] });
});
