// The core in Node gives what Python gives: MIEN_FIXTURES names the folder that fixtures.py wrote, MIEN_BUILD what was built.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import * as ort from "onnxruntime-web/wasm";

const core = await import(pathToFileURL(join(process.env.MIEN_BUILD, "core.js")));
const FOLDER = process.env.MIEN_FIXTURES;
const file = (name) => new Uint8Array(readFileSync(join(FOLDER, name)));
const told = JSON.parse(readFileSync(join(FOLDER, "fixtures.json"), "utf8"));
const pixels = ({ file: name, width, height, channels }) => ({ data: file(name), width, height, channels });
const farthest = (one, other) => one.reduce((most, value, at) => Math.max(most, Math.abs(value - other[at])), 0);

ort.env.wasm.numThreads = 1;
const engine = await core.Engine.open({ ort, detector: file("yunet.onnx"), model: file("model.onnx"), card: told.card });
const model = await core.Model.open(ort, file("model.onnx"));

test("SHA-256 is Node's", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 7) % 256);
    assert.equal(core.sha256(bytes), createHash("sha256").update(bytes).digest("hex"));
  }
});

test("resizing is OpenCV's, level for level", () => {
  for (const { kind, from, to } of told.resizing) {
    const made = (kind === "area" ? core.resizeArea : core.resizeLinear)(pixels(from), to.width, to.height);
    const expected = file(to.file);
    const off = made.data.reduce((count, level, at) => count + (level !== expected[at]), 0);
    assert.ok(farthest(made.data, expected) <= 1 && off <= 0.001 * expected.length, `${kind} ${from.width}x${from.height} to ${to.width}x${to.height}: ${off} of ${expected.length}`);
  }
});

test("preprocessing is Python's", () => {
  for (const { spec, face, input } of told.preprocessing) {
    const made = core.inputOf([pixels(face)], core.specOf(spec));
    assert.equal(made.length, input.length);
    // One grey level, of single pixels, is what OpenCV's vector code may round the other way.
    const level = 1 / (255 * spec.std);
    const off = made.reduce((count, value, at) => count + (Math.abs(value - input[at]) > level / 100), 0);
    assert.ok(farthest(made, input) <= 1.01 * level && off <= 0.002 * input.length, `${JSON.stringify(spec)} ${face.width}: ${off} of ${input.length} by ${farthest(made, input) / level}`);
  }
});

test("tracks are Python's", () => {
  let tracks = { alive: [], nextNumber: 1 };
  for (const { time, found, owners } of told.tracking) {
    const [next, named] = core.advance(tracks, time, found, 0.6);
    assert.deepEqual(named, owners);
    tracks = next;
  }
});

test("assignments cost what Python's cost", () => {
  for (const { cost, total } of told.assignments) {
    const sum = core.assign(cost).reduce((all, [row, column]) => all + cost[row][column], 0);
    assert.ok(Math.abs(sum - total) < 1e-9);
  }
});

test("smoothing is Python's", () => {
  for (const [name, { labels, frames }] of Object.entries(told.smoothing)) {
    const smoother = new core.Smoother(name, labels);
    for (const { time, track, shares, steady } of frames) {
      const face = { track, probabilities: Object.fromEntries(labels.map((label, at) => [label, Math.round(1e6 * shares[at]) / 1e6])), emotion: labels[shares.indexOf(Math.max(...shares))] };
      const [made] = smoother.smooth([{ face, probabilities: shares }], time);
      assert.equal(made.emotion, steady.emotion);
      assert.ok(farthest(Object.values(made.probabilities), Object.values(steady.probabilities)) <= 1.1e-6);
    }
  }
});

test("the card inside a file is the card beside it", () => {
  const { sha256, labels, temperature, preprocess } = told.card;
  assert.deepEqual({ sha256, labels, temperature, preprocess }, { sha256: model.card.sha256, labels: model.card.labels, temperature: model.card.temperature, preprocess: model.card.preprocess });
});

test("a model that does not fit its card, or is none, is refused in words", async () => {
  const content = file("model.onnx");
  await assert.rejects(core.Model.open(ort, content, { ...told.card, sha256: "0".repeat(64) }), /do not belong together/);
  await assert.rejects(core.Model.open(ort, content, { ...told.card, labels: ["a", "a"] }), /labels/);
  await assert.rejects(core.Model.open(ort, content, { ...told.card, format: 9 }), /format is 9/);
  await assert.rejects(core.Model.open(ort, file("yunet.onnx")), /without mien's metadata/);
  await assert.rejects(core.Model.open(ort, new TextEncoder().encode("no model")), core.MienError);
  await assert.rejects(core.Model.open(ort, content.subarray(0, 5000)), core.MienError);
});

test("options out of range are refused in words", () => {
  for (const options of [{ minConfidence: 2 }, { minFace: 3 }, { minProbability: NaN }, { maxFaces: 0 }]) assert.throws(() => core.checked(options), core.MienError);
  assert.throws(() => engine.stream({ smooth: "much" }), /unknown smoothing/);
  assert.throws(() => core.pixelsOf({ data: new Uint8Array(5), width: 2, height: 1 }), /expected width/);
});

const QUALITY = ["face_size", "sharpness", "brightness", "yaw", "pitch", "roll"];
const QUALITY_BOUND = (measure, other) => (measure === "face_size" ? 2 : measure === "sharpness" ? 0.02 * other.sharpness + 0.2 : 0.31);

/** Compare faces with Python's: boxes within 2 px, crops within a grey level, probabilities within a bound. */
function compare(name, faces, expected, bound) {
  assert.equal(faces.length, expected.length, `${name}: ${faces.length} faces`);
  faces.forEach((face, number) => {
    const other = expected[number];
    assert.ok(farthest(face.box, other.box) <= 2, `${name}: ${face.box} and ${other.box}`);
    assert.ok(farthest(face.landmarks.flat(), other.landmarks.flat()) <= 1, `${name}: landmarks`);
    assert.ok(Math.abs(face.confidence - other.confidence) < 0.02);
    // A crop may differ by a grey level; angles are rounded to a tenth.
    for (const measure of QUALITY) assert.ok(Math.abs(face[measure] - other[measure]) <= QUALITY_BOUND(measure, other), `${name}: ${measure} ${face[measure]} and ${other[measure]}`);
    const off = farthest(Object.values(face.probabilities), Object.values(other.probabilities));
    assert.ok(off <= bound, `${name}: probabilities differ by ${off}`);
    assert.equal(face.emotion, other.emotion, name);
  });
}

test("pictures give Python's faces, stage by stage", async (context) => {
  const worst = { crop: 0, unlike: 0, logits: 0, probability: 0 };
  for (const [name, { image, faces }] of Object.entries(told.pictures)) {
    const frame = await engine.recognize(pixels(image), name);
    const shrunk = Math.max(image.width, image.height) > 1280;
    compare(name, frame.faces, faces, shrunk ? 0.01 : 0.001);
    const grey = core.toGray(pixels(image));
    for (const [number, { landmarks, crop, logits, probabilities }] of faces.entries()) {
      const made = core.alignFace(grey, landmarks);
      worst.crop = Math.max(worst.crop, farthest(made.data, crop));
      worst.unlike = Math.max(worst.unlike, made.data.reduce((count, level, at) => count + (level !== crop[at]), 0));
      const [row] = await model.logits([{ ...made, data: Uint8Array.from(crop) }]);
      worst.logits = Math.max(worst.logits, farthest(row, logits));
      worst.probability = Math.max(worst.probability, farthest(Object.values(frame.faces[number].probabilities), Object.values(probabilities)));
    }
  }
  context.diagnostic(JSON.stringify(worst));
  assert.ok(worst.crop <= 1 && worst.logits < 1e-4, JSON.stringify(worst));
});

test("a stream gives Python's people", async () => {
  const stream = engine.stream();
  for (const { image, frame } of told.stream) {
    const { faces } = await stream.next(pixels(image), frame.time);
    compare(`frame ${frame.index}`, faces, frame.faces, 0.01);
    assert.deepEqual(faces.map(({ track }) => track), frame.faces.map(({ track }) => track));
  }
});

test("FER2013's faces give Python's probabilities", { skip: !told.fer && "MIEN_FER2013 names no data set" }, async () => {
  const all = file(told.fer.faces.file);
  const faces = told.fer.logits.map((_, at) => ({ data: all.subarray(2304 * at, 2304 * (at + 1)), width: 48, height: 48, channels: 1 }));
  assert.equal(faces.length, 60);
  const [logits, probabilities] = [await model.logits(faces), await model.probabilities(faces)];
  assert.ok(farthest(logits.flat(), told.fer.logits.flat()) < 1e-4);
  assert.ok(farthest(probabilities.flat(), told.fer.probabilities.flat()) < 1e-5);
});
