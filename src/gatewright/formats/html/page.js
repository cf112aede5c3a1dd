"use strict";

/* The page around the circuit: what it says of the sample that is given. */

const model = JSON.parse(document.getElementById("model").textContent);
const circuit = new Circuit(model);
const { view } = model;
let sample = circuit.sample();
let setSample = () => {};
let given = view.kind !== "pad"; // whether there is a sample: an empty pad has none

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function show(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

/* ---- What the circuit says ---- */

function microseconds(samples) {
  const run = () => {
    circuit.encode(samples);
    circuit.evaluate();
  };
  run();
  const start = performance.now();
  let n = 0;
  do run(), n++; while (performance.now() - start < 20);
  return ((performance.now() - start) * 1000) / n;
}

function measure() {
  const one = microseconds([sample]);
  const many = microseconds(Array(WORD).fill(sample)) / WORD;
  const text = (us) => us.toLocaleString("en", { maximumSignificantDigits: 3 });
  show("speed", `${text(one)} µs per evaluation here; ${text(many)} µs each when ${WORD} are evaluated at once.`);
}

let bars = [];

function prepareResult() {
  if (!circuit.head) {
    show("bars", ...(bars = Array.from(circuit.outputs, () => element("span", { className: "bit" }))));
    return;
  }
  bars = circuit.head.offset.map((_, k) => {
    const fill = element("span", { className: "fill" });
    const count = element("span", { className: "count" });
    const share = element("span", { className: "share" });
    const row = element("li", {}, element("span", { className: "label", textContent: view.classes[k] }),
      element("span", { className: "track" }, fill), share, count);
    return { row, fill, count, share };
  });
  show("bars", ...bars.map((bar) => bar.row));
}

function sayClass(text) {
  const said = document.getElementById("class");
  if (said.textContent !== text) said.textContent = text; // or it would be read aloud at every stroke
}

/* A number in as many digits as tell two counts apart. */
function numberText(number) {
  const step = Math.abs(circuit.head.number[1]);
  const places = Math.min(20, Math.max(0, 1 - Math.floor(Math.log10(step))));
  return number.toLocaleString("en", { maximumFractionDigits: places });
}

function update() {
  circuit.encode([sample]);
  circuit.evaluate();
  updateInside();
  if (!circuit.head) {
    const bits = circuit.bits(0);
    bars.forEach((bar, j) => {
      bar.textContent = given ? bits[j] : "";
      bar.classList.toggle("on", given && bits[j] === 1);
    });
    sayClass(given ? `${bits.reduce((a, b) => a + b, 0)} of ${bits.length} outputs are 1` : "");
    return;
  }
  const counts = circuit.counts(0);
  const numeric = circuit.head.number.length > 0;
  const shares = circuit.probabilities(counts);
  const best = winner(counts);
  const low = Math.min(0, ...counts);
  const span = Math.max(1, ...counts.map((count, k) => Math.max(count, view.most[k]))) - low;
  bars.forEach(({ row, fill, count, share }, k) => {
    row.classList.toggle("best", given && k === best);
    fill.style.width = given ? `${(100 * (counts[k] - low)) / span}%` : "0";
    count.textContent = given ? counts[k] : "";
    share.textContent = given && !numeric ? `${(100 * shares[k]).toFixed(1)} %` : "";
  });
  updateSpoke(counts, best);
  const said = numeric ? numberText(circuit.number(counts)) : view.classes[best];
  sayClass(given ? said : "");
  document.getElementById("empty").hidden = given;
}

/* ---- Samples that came with the page ---- */

function chooseSample(i) {
  setSample(circuit.sample().map((_, f) => model.samples[i][f]));
}

function makeSamples() {
  const buttons = model.samples.map((_, i) =>
    element("button", { type: "button", textContent: view.labels[i] ?? String(i + 1), onclick: () => chooseSample(i) }));
  if (buttons.length) show("samples", element("h2", { textContent: view.samplesTitle }), element("div", { className: "tools" }, ...buttons));
  const wanted = /^#sample=(\d+)$/.exec(location.hash);
  if (wanted && model.samples[Number(wanted[1])]) chooseSample(Number(wanted[1]));
}
