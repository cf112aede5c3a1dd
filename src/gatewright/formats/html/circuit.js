"use strict";

/* The circuit itself: encoder, gates and head, exactly as trained. Nothing here knows of the page around it.
 *
 * Values are 32-bit words, a sample a bit: up to 32 samples take no longer than one.
 */

const FEATURE_ARRAYS = { bool: Uint8Array, uint8: Uint8Array, int16: Int16Array, int32: Int32Array, float32: Float32Array, float64: Float64Array };
const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float64: Float64Array };
const WORD = 32;

/* By gate id: f(a, b) = CONSTANT ^ (A & a) ^ (B & b) ^ (BOTH & a & b), each coefficient a mask of 32 equal bits.
 * The id is the truth table f(0,0) f(0,1) f(1,0) f(1,1), most significant bit first. */
const CONSTANT = new Int32Array(16);
const A = new Int32Array(16);
const B = new Int32Array(16);
const BOTH = new Int32Array(16);
for (let gate = 0; gate < 16; gate++) {
  const [f00, f01, f10, f11] = [gate >> 3 & 1, gate >> 2 & 1, gate >> 1 & 1, gate & 1];
  CONSTANT[gate] = -f00;
  A[gate] = -(f00 ^ f10);
  B[gate] = -(f00 ^ f01);
  BOTH[gate] = -(f00 ^ f01 ^ f10 ^ f11);
}

/* Whether a gate depends on its first, on its second operand. */
function usesA(gate) {
  return A[gate] !== 0 || BOTH[gate] !== 0;
}

function usesB(gate) {
  return B[gate] !== 0 || BOTH[gate] !== 0;
}

/* A typed array from {type, base64} (little-endian). */
function unpack({ type, base64 }) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAYS[type](bytes.buffer);
}

class Circuit {
  constructor(model) {
    this.inputs = model.inputs;
    this.gate = unpack(model.gate);
    this.a = unpack(model.a);
    this.b = unpack(model.b);
    this.outputs = unpack(model.outputs);
    this.encoder = model.encoder && {
      ...model.encoder,
      feature: unpack(model.encoder.feature),
      threshold: unpack(model.encoder.threshold),
    };
    this.head = model.head && { ...model.head, group: unpack(model.head.group) };
    this.values = new Int32Array(this.inputs + this.gate.length);
    this.level = new Int32Array(this.inputs + this.gate.length);
    for (let i = 0; i < this.gate.length; i++) {
      const [a, b] = [usesA(this.gate[i]), usesB(this.gate[i])];
      const below = Math.max(a ? this.level[this.a[i]] : 0, b ? this.level[this.b[i]] : 0);
      this.level[this.inputs + i] = below + (a && b ? 1 : 0); // inverters, wires and constants take no level
    }
    this.out = new Int32Array(this.outputs.length);
  }

  /* Numbers of one sample: features, or without an encoder the Boolean inputs. */
  get features() {
    return this.encoder ? this.encoder.shape.reduce((a, b) => a * b) : this.inputs;
  }

  /* An empty sample, of the type that makes comparisons exact. */
  sample() {
    return new FEATURE_ARRAYS[this.encoder ? this.encoder.dtype : "bool"](this.features);
  }

  /* Put up to 32 samples in: sample s becomes bit s of every input. */
  encode(samples) {
    const values = this.values;
    const feature = this.encoder && this.encoder.feature;
    const threshold = this.encoder && this.encoder.threshold;
    for (let i = 0; i < this.inputs; i++) {
      const from = feature ? feature[i] : i;
      const least = threshold ? threshold[i] : 1;
      let word = 0;
      for (let s = 0; s < samples.length; s++) if (samples[s][from] >= least) word |= 1 << s;
      values[i] = word;
    }
  }

  /* Compute all gates for all samples that were put in; returns a word per output. */
  evaluate() {
    const { values, gate, a, b, outputs, out, inputs } = this;
    for (let i = 0; i < gate.length; i++) {
      const g = gate[i];
      const x = values[a[i]];
      const y = values[b[i]];
      values[inputs + i] = CONSTANT[g] ^ (A[g] & x) ^ (B[g] & y) ^ (BOTH[g] & x & y);
    }
    for (let j = 0; j < outputs.length; j++) out[j] = values[outputs[j]];
    return out;
  }

  /* Outputs of a sample after evaluate(): an array of 0 and 1. */
  bits(s) {
    return Array.from(this.out, (word) => word >> s & 1);
  }

  /* What the head counts for a sample after evaluate(): per class, its offset and its true outputs. */
  counts(s) {
    const counts = this.head.offset.slice();
    for (let j = 0; j < this.out.length; j++) counts[this.head.group[j]] += this.out[j] >> s & 1;
    return counts;
  }

  /* The number that the head makes of its count, as every other export makes it: the product is exact, the sum rounded. */
  number(counts) {
    const [base, scale] = this.head.number;
    return base + scale * counts[0];
  }

  /* Softmax of the scores, which are counts divided by the head's temperature. */
  probabilities(counts) {
    const most = Math.max(...counts);
    const powers = counts.map((count) => Math.exp((count - most) / this.head.tau));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  }

  /* What spoke for class `one` rather than `other` in a sample after evaluate(): a weight per feature.
   *
   * Every true output of the one's group weighs 1, of the other's -1; a gate shares its weight among the operands it reads.
   */
  spoke(s, one, other) {
    const weight = new Float64Array(this.values.length);
    for (let j = 0; j < this.out.length; j++) {
      if (!(this.out[j] >> s & 1)) continue;
      if (this.head.group[j] === one) weight[this.outputs[j]] += 1;
      if (this.head.group[j] === other) weight[this.outputs[j]] -= 1;
    }
    for (let i = this.gate.length - 1; i >= 0; i--) {
      const w = weight[this.inputs + i];
      if (!w) continue;
      const [a, b] = [usesA(this.gate[i]), usesB(this.gate[i])];
      if (a) weight[this.a[i]] += b ? w / 2 : w;
      if (b) weight[this.b[i]] += a ? w / 2 : w;
    }
    const by = new Float64Array(this.features);
    for (let i = 0; i < this.inputs; i++) by[this.encoder ? this.encoder.feature[i] : i] += weight[i];
    return by;
  }
}

/* The class with the greatest count, the lowest one among equals. */
function winner(counts) {
  return counts.reduce((best, count, k) => (count > counts[best] ? k : best), 0);
}
