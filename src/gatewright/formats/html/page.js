"use strict";

/* The page around the circuit: a pad to draw on, a form, or a field for many numbers; and what the circuit says. */

const model = JSON.parse(document.getElementById("model").textContent);
const circuit = new Circuit(model);
const { view } = model;
let sample = circuit.sample();
let setSample = () => {};

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
    const row = element("li", {}, element("span", { className: "label", textContent: view.classes[k] }),
      element("span", { className: "track" }, fill), count);
    return { row, fill, count };
  });
  show("bars", ...bars.map((bar) => bar.row));
}

function update() {
  circuit.encode([sample]);
  circuit.evaluate();
  if (!circuit.head) {
    const bits = circuit.bits(0);
    bars.forEach((bar, j) => {
      bar.textContent = bits[j];
      bar.classList.toggle("on", bits[j] === 1);
    });
    show("class", `${bits.reduce((a, b) => a + b, 0)} of ${bits.length} outputs are 1`);
    return;
  }
  const counts = circuit.counts(0);
  const best = winner(counts);
  const low = Math.min(0, ...counts);
  const span = Math.max(1, ...counts.map((count, k) => Math.max(count, view.most[k]))) - low;
  bars.forEach(({ row, fill, count }, k) => {
    row.classList.toggle("best", k === best);
    fill.style.width = `${(100 * (counts[k] - low)) / span}%`;
    count.textContent = counts[k];
  });
  const text = view.classes[best];
  const said = document.getElementById("class");
  if (said.textContent !== text) said.textContent = text; // or it would be read aloud at every stroke
}

/* ---- Images ---- */

function makePad([channels, height, width]) {
  const plane = height * width;
  const canvas = element("canvas", { width, height, tabIndex: 0, className: "pad" });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `Drawing pad, ${width} by ${height} pixels. Arrow keys move, space draws.`);
  canvas.style.aspectRatio = `${width} / ${height}`;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const colour = element("input", { type: "color", value: "#ffffff", id: "colour" });
  const thickness = element("input", { type: "range", min: 0.5, max: Math.max(3, width / 6), step: 0.5, id: "thickness" });
  thickness.value = Math.max(1, width / 12);
  const file = element("input", { type: "file", accept: "image/*", id: "file" });

  const read = () => {
    const { data } = context.getImageData(0, 0, width, height);
    for (let p = 0; p < plane; p++) {
      for (let c = 0; c < channels; c++) {
        const level = channels === 1 ? (data[4 * p] + data[4 * p + 1] + data[4 * p + 2]) / 3 : data[4 * p + c];
        const value = (level / 255) * view.white;
        sample[c * plane + p] = sample instanceof Float32Array ? value : Math.round(value);
      }
    }
    update();
  };
  setSample = (given) => {
    const image = context.createImageData(width, height);
    for (let p = 0; p < plane; p++) {
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = (given[(channels === 1 ? 0 : c) * plane + p] / view.white) * 255;
      image.data[4 * p + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    sample.set(given); // not what the canvas rounds it to
    update();
  };
  const clear = () => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    read();
  };
  const stroke = (from, to) => {
    context.strokeStyle = colour.value;
    context.lineWidth = Number(thickness.value);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(to[0] + 0.01, to[1]); // a point is a line, too
    context.stroke();
    read();
  };

  let last = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const now = place(event);
    stroke(last, now);
    last = now;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));

  let cursor = [width / 2, height / 2];
  let down = false;
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      down = !down;
      if (down) stroke(cursor, cursor);
    } else if (steps[event.key]) {
      const [dx, dy] = steps[event.key];
      const next = [Math.min(width, Math.max(0, cursor[0] + dx)), Math.min(height, Math.max(0, cursor[1] + dy))];
      if (down) stroke(cursor, next);
      cursor = next;
    } else return;
    event.preventDefault();
  });

  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    const picture = await createImageBitmap(file.files[0]);
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, width, height);
    read();
  });
  const reset = element("button", { type: "button", textContent: "Clear", onclick: clear });
  const tools = element("div", { className: "tools" }, reset, element("label", {}, "Pen ", thickness));
  if (channels === 3) tools.append(element("label", {}, "Colour ", colour));
  tools.append(element("label", {}, "Picture ", file));
  show("input", canvas, tools);
  clear();
}

/* ---- Tables ---- */

const RANGES = { bool: [0, 1], uint8: [0, 255], int16: [-32768, 32767], int32: [-2147483648, 2147483647] };

/* The number in a text if the feature's type holds it, else null. */
function parse(text) {
  const value = Number(text);
  const range = RANGES[circuit.encoder ? circuit.encoder.dtype : "bool"];
  if (text.trim() === "" || !Number.isFinite(value)) return null;
  if (!range) return Number.isFinite(Math.fround(value)) ? value : null;
  return Number.isInteger(value) && value >= range[0] && value <= range[1] ? value : null;
}

function makeForm() {
  const dtype = circuit.encoder ? circuit.encoder.dtype : "bool";
  const fields = Array.from(sample, (_, i) => {
    const field = element("input", dtype === "bool" ? { type: "checkbox" } : { type: "number", required: true, value: 0 });
    if (RANGES[dtype]) [field.min, field.max, field.step] = [...RANGES[dtype], 1];
    else field.step = "any";
    field.addEventListener("input", () => {
      const value = dtype === "bool" ? Number(field.checked) : parse(field.value);
      field.setAttribute("aria-invalid", String(value === null));
      if (value === null) return;
      sample[i] = value;
      update();
    });
    return field;
  });
  setSample = (given) => {
    fields.forEach((field, i) => {
      if (dtype === "bool") field.checked = given[i] !== 0;
      else field.value = given[i];
      field.setAttribute("aria-invalid", "false");
    });
    sample.set(given);
    update();
  };
  const rows = fields.map((field, i) => element("label", { className: "field" }, element("span", { textContent: view.features[i] }), field));
  show("input", element("div", { className: "form" }, ...rows));
  setSample(sample);
}

function makeList() {
  const area = element("textarea", { rows: 12, spellcheck: false, id: "list" });
  const said = element("p", { className: "note" });
  area.addEventListener("input", () => {
    const parts = area.value.split(/[\s,;]+/).filter((part) => part);
    const values = parts.map(parse);
    const bad = values.indexOf(null);
    const wrong = bad >= 0 ? `Value ${bad + 1} (${parts[bad]}) does not fit ${circuit.encoder ? circuit.encoder.dtype : "bool"}.`
      : values.length === sample.length ? "" : `${values.length} values; expected ${sample.length}.`;
    said.textContent = wrong;
    area.setAttribute("aria-invalid", String(wrong !== ""));
    if (wrong) return;
    sample.set(values);
    update();
  });
  setSample = (given) => {
    area.value = Array.from(given).join(" ");
    area.setAttribute("aria-invalid", "false");
    said.textContent = "";
    sample.set(given);
    update();
  };
  show("input", element("label", {}, `${sample.length} values, separated by spaces or commas`, area), said);
  setSample(sample);
}

/* ---- Samples that came with the page ---- */

function chooseSample(i) {
  setSample(circuit.sample().map((_, f) => model.samples[i][f]));
}

function makeSamples() {
  const buttons = model.samples.map((_, i) =>
    element("button", { type: "button", textContent: view.labels[i] ?? String(i + 1), onclick: () => chooseSample(i) }));
  if (buttons.length) show("samples", element("h2", { textContent: "Samples" }), element("div", { className: "tools" }, ...buttons));
  const wanted = /^#sample=(\d+)$/.exec(location.hash);
  if (wanted && model.samples[Number(wanted[1])]) chooseSample(Number(wanted[1]));
}

prepareResult();
if (view.kind === "pad") makePad(circuit.encoder.shape);
else if (view.kind === "form") makeForm();
else makeList();
makeSamples();
update();
measure();
