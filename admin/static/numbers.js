/* Draws the course of the figures. The table below it says the same. */
(() => {
  'use strict';
  const box = document.getElementById('course');
  const words = document.getElementById('course-data');
  if (!box || !words || !window.uPlot) return;
  const { labels, lines } = JSON.parse(words.textContent);
  const places = labels.map((_, place) => place);
  let chart = null;

  const colour = (name) => {
    const found = document.querySelector(`.chart-key-${name}`);
    return found ? getComputedStyle(found).color : '#888';
  };
  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    const muted = style.getPropertyValue('--p-muted').trim();
    const line = style.getPropertyValue('--p-line').trim();
    const axis = { stroke: muted, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: '12px sans-serif' };
    if (chart) chart.destroy();
    chart = new window.uPlot({
      width: box.clientWidth,
      height: 220,
      cursor: { drag: { x: false, y: false }, y: false },
      legend: { show: false },
      scales: { x: { time: false, range: [-0.3, labels.length - 0.7] }, y: { range: (_, low, high) => [0, Math.max(4, high * 1.1)] } },
      axes: [
        { ...axis, grid: { show: false }, space: 56, incrs: [1, 2, 3, 4, 6, 12], values: (_, at) => at.map((place) => labels[place] ?? '') },
        { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000] },
      ],
      series: [{}, ...lines.map((one) => ({ label: one.name, stroke: colour(one.of), width: 2, points: { show: true, size: 6 } }))],
    }, [places, ...lines.map((one) => one.values)], box);
  };
  draw();
  let waiting = 0;
  window.addEventListener('resize', () => {
    window.cancelAnimationFrame(waiting);
    waiting = window.requestAnimationFrame(draw);
  });
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => window.requestAnimationFrame(draw));
})();
