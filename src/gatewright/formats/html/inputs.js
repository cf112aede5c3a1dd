"use strict";

/* Ways to give a sample: a pad to draw on, a form, a strip for signals, or a field for many numbers.
 *
 * Each sets `sample` and calls `update()`, and defines `setSample` for the buttons.
 */

const RANGES = { bool: [0, 1], uint8: [0, 255], int16: [-32768, 32767], int32: [-2147483648, 2147483647] };
const dtype = circuit.encoder ? circuit.encoder.dtype : "bool";

/* The number in a text if the feature's type holds it, else null. */
function parse(text) {
  const value = Number(text);
  const range = RANGES[dtype];
  if (text.trim() === "" || !Number.isFinite(value)) return null;
  if (!range) return Number.isFinite(Math.fround(value)) ? value : null;
  return Number.isInteger(value) && value >= range[0] && value <= range[1] ? value : null;
}

/* ---- Images ---- */

const PAD = 336; // pixels of the pad's longer side

function makePad([channels, height, width]) {
  const plane = height * width;
  const zoom = PAD / Math.max(width, height);
  const canvas = element("canvas", { width: width * zoom, height: height * zoom, tabIndex: 0, className: "pad" });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `Drawing pad, ${width} by ${height} pixels. Arrow keys move, space draws.`);
  const seen = element("canvas", { width, height, className: "seen" });
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", "What the network reads");
  const context = canvas.getContext("2d");
  const colour = element("input", { type: "color", value: "#ffffff", id: "colour" });
  const thickness = element("input", { type: "range", min: 0.5, max: Math.max(3, width / 6), step: 0.25, id: "thickness" });
  thickness.value = view.pen;
  const centre = element("input", { type: "checkbox", checked: true, id: "centre" });
  const file = element("input", { type: "file", accept: "image/*", id: "file" });
  let strokes = [];
  let base = null; // levels of a picture or sample behind the strokes, which then stay where they are

  const image = (levels) => {
    const made = new ImageData(width, height);
    for (let p = 0; p < plane; p++) {
      for (let c = 0; c < 3; c++) made.data[4 * p + c] = levels[(channels === 1 ? 0 : c) * plane + p] * 255;
      made.data[4 * p + 3] = 255;
    }
    return made;
  };
  const show = () => {
    const levels = Float32Array.from(sample, (value) => value / view.white);
    seen.getContext("2d").putImageData(image(levels), 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (base) {
      const small = element("canvas", { width, height });
      small.getContext("2d").putImageData(image(base), 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, canvas.width, canvas.height);
    }
    context.lineCap = context.lineJoin = "round";
    for (const { points, width: pen, colour: [r, g, b] } of strokes) {
      context.strokeStyle = `rgb(${r * 255} ${g * 255} ${b * 255})`;
      context.lineWidth = pen * zoom;
      context.beginPath();
      points.forEach(([x, y]) => context.lineTo(x * zoom, y * zoom));
      context.lineTo(points.at(-1)[0] * zoom + 0.01, points.at(-1)[1] * zoom); // a point is a line, too
      context.stroke();
    }
  };
  const read = () => {
    const move = view.frame && centre.checked && !base;
    const levels = base ? base.slice() : new Float32Array(channels * plane);
    paint(levels, move ? framed(strokes, view.frame, width, height) : strokes, channels, width, height);
    for (let i = 0; i < sample.length; i++) {
      const value = Math.min(1, Math.max(0, levels[i])) * view.white;
      sample[i] = sample instanceof Float32Array ? value : Math.round(value);
    }
    given = strokes.length > 0 || base !== null;
    show();
    update();
  };
  setSample = (values) => {
    strokes = [];
    base = Float32Array.from(values, (value) => value / view.white);
    sample.set(values); // not what levels are rounded to
    given = true;
    show();
    update();
  };
  const begin = (point) => {
    const value = colour.value;
    const parts = [1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16) / 255);
    strokes.push({ points: [point], width: Number(thickness.value), colour: parts });
    read();
  };
  const extend = (point) => {
    strokes.at(-1).points.push(point);
    read();
  };
  const clear = () => {
    strokes = [];
    base = null;
    file.value = "";
    read();
  };

  let drawing = false;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    begin(place(event));
  });
  canvas.addEventListener("pointermove", (event) => drawing && extend(place(event)));
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (drawing = false));

  let cursor = [width / 2, height / 2];
  let down = false;
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      down = !down;
      if (down) begin(cursor);
    } else if (steps[event.key]) {
      const [dx, dy] = steps[event.key];
      cursor = [Math.min(width, Math.max(0, cursor[0] + dx)), Math.min(height, Math.max(0, cursor[1] + dy))];
      if (down) extend(cursor);
    } else return;
    event.preventDefault();
  });

  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    const small = element("canvas", { width, height }).getContext("2d");
    small.imageSmoothingQuality = "high";
    small.drawImage(await createImageBitmap(file.files[0]), 0, 0, width, height);
    const { data } = small.getImageData(0, 0, width, height);
    base = new Float32Array(channels * plane);
    for (let p = 0; p < plane; p++) {
      for (let c = 0; c < channels; c++) {
        const level = channels === 1 ? (data[4 * p] + data[4 * p + 1] + data[4 * p + 2]) / 3 : data[4 * p + c];
        base[c * plane + p] = level / 255;
      }
    }
    strokes = [];
    read();
  });
  centre.addEventListener("change", read);
  const reset = element("button", { type: "button", textContent: "Clear", onclick: clear });
  const tools = element("div", { className: "tools" }, reset, element("label", {}, "Pen ", thickness));
  if (channels === 3) tools.append(element("label", {}, "Colour ", colour));
  if (view.frame) tools.append(element("label", {}, centre, " Centre and scale as the data are"));
  tools.append(element("label", {}, "Picture ", file));
  const caption = element("figcaption", { className: "note", textContent: "What the network reads" });
  document.getElementById("input").replaceChildren(canvas, element("figure", { className: "read" }, seen, caption), tools);
  clear();
}

/* ---- Tables ---- */

function makeForm() {
  const setters = [];
  const label = (text, field) => element("label", { className: "field" }, element("span", { textContent: text }), field);
  const choice = ({ column, indices }) => {
    const select = element("select");
    indices.forEach((i) => select.append(element("option", { value: i, textContent: view.features[i].slice(column.length + 1) })));
    select.append(element("option", { value: "none", textContent: "none of these" }));
    select.append(element("option", { value: "several", textContent: "several", disabled: true, hidden: true }));
    select.addEventListener("change", () => {
      indices.forEach((i) => (sample[i] = Number(String(i) === select.value)));
      update();
    });
    setters.push(() => {
      const chosen = indices.filter((i) => sample[i] !== 0);
      const one = chosen.length === 1 && sample[chosen[0]] === 1;
      select.value = one ? String(chosen[0]) : chosen.length ? "several" : "none";
    });
    return label(column, select);
  };
  const category = ({ column, indices: [i], choices }) => {
    const select = element("select");
    choices.forEach((text, code) => select.append(element("option", { value: code, textContent: text })));
    select.append(element("option", { value: choices.length, textContent: "another, or missing" }));
    select.addEventListener("change", () => {
      sample[i] = Number(select.value);
      update();
    });
    setters.push(() => (select.value = String(Math.min(choices.length, Math.max(0, Math.floor(sample[i]))))));
    return label(column, select);
  };
  const number = (i) => {
    const flag = dtype === "bool" || view.flags.includes(i);
    const field = element("input", flag ? { type: "checkbox" } : { type: "number", required: true });
    if (RANGES[dtype]) [field.min, field.max, field.step] = [...RANGES[dtype], 1];
    else field.step = "any";
    field.addEventListener("input", () => {
      const value = flag ? Number(field.checked) : parse(field.value);
      field.setAttribute("aria-invalid", String(value === null));
      if (value === null) return;
      sample[i] = value;
      update();
    });
    setters.push(() => {
      if (flag) field.checked = sample[i] !== 0;
      else field.value = sample[i];
      field.setAttribute("aria-invalid", "false");
    });
    return label(view.features[i], field);
  };
  // A column of a category, `column=value` with a 0 or 1 for each value, is one field.
  const kind = (field) => (field.choices ? category(field) : field.column ? choice(field) : number(field.indices[0]));
  const fields = view.fields.map(kind);
  setSample = (values) => {
    sample.set(values);
    setters.forEach((set) => set());
    update();
  };
  show("input", element("div", { className: "form" }, ...fields));
  setSample(model.typical ?? sample);
}

/* ---- Signals, and whatever has too many numbers for a form ---- */

function makeList(signal) {
  const area = element("textarea", { rows: signal ? 4 : 12, spellcheck: false, id: "list" });
  const said = element("p", { className: "note" });
  const line = element("canvas", { width: 960, height: 240, className: "strip" });
  line.setAttribute("role", "img");
  line.setAttribute("aria-label", "The signal");
  const length = circuit.encoder ? circuit.encoder.shape.at(-1) : sample.length;
  const draw = () => {
    const context = line.getContext("2d");
    context.clearRect(0, 0, line.width, line.height);
    const [low, high] = [Math.min(...sample), Math.max(...sample)];
    for (let start = 0; start < sample.length; start += length) {
      context.strokeStyle = getComputedStyle(line).color;
      context.globalAlpha = start ? 0.45 : 1;
      context.lineWidth = 3;
      context.beginPath();
      for (let i = 0; i < length; i++) {
        const share = (sample[start + i] - low) / (high - low || 1);
        context.lineTo((i / Math.max(1, length - 1)) * line.width, 8 + (1 - share) * (line.height - 16));
      }
      context.stroke();
    }
  };
  area.addEventListener("input", () => {
    const parts = area.value.split(/[\s,;]+/).filter((part) => part);
    const values = parts.map(parse);
    const bad = values.indexOf(null);
    const wrong = bad >= 0 ? `Value ${bad + 1} (${parts[bad]}) does not fit ${dtype}.`
      : values.length === sample.length ? "" : `${values.length} values; expected ${sample.length}.`;
    said.textContent = wrong;
    area.setAttribute("aria-invalid", String(wrong !== ""));
    if (wrong) return;
    sample.set(values);
    given = true;
    if (signal) draw();
    update();
  });
  setSample = (values) => {
    area.value = Array.from(values).join(" ");
    area.setAttribute("aria-invalid", "false");
    said.textContent = "";
    sample.set(values);
    given = true;
    if (signal) draw();
    update();
  };
  const field = element("label", {}, `${sample.length} values, separated by spaces or commas`, area);
  if (signal) show("input", line, element("details", {}, element("summary", { textContent: "Numbers" }), field), said);
  else show("input", field, said);
  setSample(model.typical ?? model.samples[0] ?? sample);
}

function makeInput() {
  if (view.kind === "pad") makePad(circuit.encoder.shape);
  else if (view.kind === "form") makeForm();
  else makeList(view.kind === "strip");
}
