"use strict";

/* The gates at work: a dot per gate with two operands, lit where it is 1, level by level; and which features spoke for the class. */

const COLUMNS = 160;
const LIT = [30, 160, 110, 255];
const DARK = [128, 128, 128, 70];
const AGAINST = [200, 60, 50, 255];
const MOST_LEVELS = 24;
const NAMED = 8;

const levels = [];

function prepareInside() {
  for (let i = 0; i < circuit.gate.length; i++) {
    if (!usesA(circuit.gate[i]) || !usesB(circuit.gate[i])) continue; // an inverter, wire or constant
    const level = circuit.level[circuit.inputs + i];
    (levels[level] ??= { nodes: [] }).nodes.push(circuit.inputs + i);
  }
  levels[0] = { nodes: Array.from({ length: circuit.inputs }, (_, i) => i) };
  const shown = levels.slice(0, MOST_LEVELS + 1).map((level, depth) => {
    const n = level.nodes.length;
    const wide = Math.max(COLUMNS, Math.ceil(Math.sqrt(6 * n)));
    level.canvas = element("canvas", { width: wide, height: Math.max(1, Math.ceil(n / wide)), className: "gates" });
    level.said = element("figcaption", { className: "note" });
    level.name = depth ? `Level ${depth}: ${n.toLocaleString("en")} gates` : `${n.toLocaleString("en")} Boolean inputs`;
    return element("figure", {}, level.said, level.canvas);
  });
  if (levels.length > MOST_LEVELS + 1) {
    shown.push(element("p", { className: "note", textContent: `${levels.length - 1 - MOST_LEVELS} further levels are not shown.` }));
  }
  show("gates", ...shown);
}

function putPixel(data, at, [r, g, b, a]) {
  data.set([r, g, b, a], 4 * at);
}

function updateInside() {
  for (const level of levels.slice(0, MOST_LEVELS + 1)) {
    const context = level.canvas.getContext("2d");
    const image = context.createImageData(level.canvas.width, level.canvas.height);
    let lit = 0;
    level.nodes.forEach((node, at) => {
      const on = given && circuit.values[node] & 1;
      lit += on ? 1 : 0;
      putPixel(image.data, at, on ? LIT : DARK);
    });
    context.putImageData(image, 0, 0);
    level.said.textContent = `${level.name}${given ? `, ${lit.toLocaleString("en")} of them 1` : ""}`;
  }
}

/* A picture of weights per feature, or the names of the greatest. */
function updateSpoke(counts, best) {
  const place = document.getElementById("spoke");
  if (counts.length < 2 || !given) {
    place.replaceChildren();
    return;
  }
  const second = winner(counts.map((count, k) => (k === best ? -Infinity : count)));
  const by = circuit.spoke(0, best, second);
  const title = element("h2", { textContent: `What spoke for ${view.classes[best]} rather than ${view.classes[second]}` });
  const most = Math.max(...by.map(Math.abs)) || 1;
  if (view.kind === "pad" || view.kind === "strip") {
    const shape = circuit.encoder.shape;
    const width = shape.at(-1);
    const height = view.kind === "pad" ? shape.at(-2) : 1;
    const sums = new Float64Array(width * height);
    by.forEach((weight, i) => (sums[i % sums.length] += weight));
    const top = Math.max(...sums.map(Math.abs)) || 1;
    const canvas = element("canvas", { width, height, className: view.kind === "pad" ? "spoke" : "spoke strip" });
    const image = canvas.getContext("2d").createImageData(width, height);
    sums.forEach((weight, p) => {
      const [r, g, b] = weight >= 0 ? LIT : AGAINST;
      putPixel(image.data, p, [r, g, b, (255 * Math.abs(weight)) / top]);
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", title.textContent);
    place.replaceChildren(title, canvas, element("p", { className: "note", textContent: "Green: true gates for it. Red: against it." }));
    return;
  }
  const order = Array.from(by.keys()).filter((i) => by[i]).sort((i, j) => Math.abs(by[j]) - Math.abs(by[i])).slice(0, NAMED);
  const rows = order.map((i) => {
    const fill = element("span", { className: by[i] > 0 ? "fill for" : "fill against" });
    fill.style.width = `${(100 * Math.abs(by[i])) / most}%`;
    const name = view.features ? view.features[i] : `value ${i + 1}`;
    return element("li", {}, element("span", { className: "label", textContent: name }), element("span", { className: "track" }, fill));
  });
  place.replaceChildren(title, element("ul", { className: "bars named" }, ...rows));
}
