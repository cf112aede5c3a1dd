"""The web page's script, taken out of the page and run by node."""

import html.parser
import json

import numpy as np

DRIVER = """
const model = JSON.parse(require("fs").readFileSync("model.json"));
const circuit = new Circuit(model);
const raw = require("fs").readFileSync(0);
const one = circuit.sample();
const n = one.byteLength ? raw.length / one.byteLength : 1;
const all = new one.constructor(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
const lines = [];
for (let start = 0; start < n; start += WORD) {
  const batch = [];
  for (let s = start; s < Math.min(n, start + WORD); s++) batch.push(all.subarray(s * one.length, (s + 1) * one.length));
  circuit.encode(batch);
  circuit.evaluate();
  batch.forEach((_, s) => {
    const counts = circuit.head && circuit.counts(s);
    const first = counts && (circuit.head.number.length ? circuit.number(counts) : winner(counts));
    const numbers = circuit.head ? [first, ...counts] : circuit.bits(s);
    lines.push(numbers.join(" "));
  });
}
console.log(lines.join("\\n"));
"""


class Page(html.parser.HTMLParser):
    """Scripts by id, text elsewhere, and every address that the page refers to."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.links, self.text = {}, [], ""
        self._id = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[name] for name in ("src", "href") if name in attrs]
        self._id = attrs["id"] if tag == "script" else None

    def handle_endtag(self, tag):
        if tag == "script":
            self._id = None

    def handle_data(self, data):
        if self._id is None:
            self.text += data
        else:
            self.scripts[self._id] = self.scripts.get(self._id, "") + data


def run_page(tool, run, path, samples, change=None):
    """Rows of numbers, one per sample: class (or number) and counts, or outputs. `change` may edit the script first."""
    folder = path.parent
    scripts = Page(path.read_text(encoding="utf-8")).scripts
    (folder / "model.json").write_text(scripts["model"])
    code = scripts["circuit"]
    (folder / "run.js").write_text((change(code) if change else code) + DRIVER)
    said = run(tool("node"), "run.js", stdin=np.ascontiguousarray(samples).tobytes(), cwd=folder)
    return [[json.loads(part) for part in line.split()] for line in said.splitlines()]
