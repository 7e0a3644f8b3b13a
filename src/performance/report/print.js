// Charts follow the window's width; paper is narrower.
const charts = Array.from(document.querySelectorAll(".plotly-graph-div"));
window.addEventListener("beforeprint", () => {
  for (const chart of charts) {
    Plotly.relayout(chart, { width: chart.parentElement.classList.contains("half") ? 330 : 690 });
  }
});
window.addEventListener("afterprint", () => {
  for (const chart of charts) Plotly.relayout(chart, { width: null, autosize: true });
});
