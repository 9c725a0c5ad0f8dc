// The library in Node says what is wrong with what it is given: MIEN_FIXTURES names the folder that fixtures.py wrote.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { load, MienError } from "../../src/mien/web/built/mien.js";

const FOLDER = `${pathToFileURL(process.env.MIEN_FIXTURES)}/`;
const { card } = JSON.parse(readFileSync(new URL("fixtures.json", FOLDER), "utf8"));
const assets = {
  wasm: new URL("../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm", import.meta.url).href,
  detector: new URL("yunet.onnx", FOLDER).href,
  model: new URL("model.onnx", FOLDER).href,
  card: `data:application/json,${encodeURIComponent(JSON.stringify(card))}`,
};
const blank = { data: new Uint8Array(4 * 64 * 64), width: 64, height: 64 };
const mien = await load({ assets });

/** Whether something is refused as the documentation says, with words. */
const refused = (action, words) => assert.rejects(action, (error) => error instanceof MienError && words.test(error.message));

test("what is no image is refused", async () => {
  for (const image of [undefined, null, "party.jpg", 3]) await refused(mien.recognize(image), /an image is pixels here/);
  await refused(mien.recognize(new Blob(["words"])), /an image is pixels here/);
  await refused(mien.recognize({ ...blank, width: 10 }), /pixels 10x64/);
});

test("options that there are not, or out of range, are refused", async () => {
  await refused(mien.recognize(blank, { minConfidance: 0.9 }), /no option minConfidance/);
  await refused(mien.recognize(blank, { maxFaces: 1.5 }), /maxFaces is 1.5/);
  await refused(mien.recognize(blank, { minConfidence: "high" }), /minConfidence is high/);
  assert.deepEqual(await mien.recognize(blank, { maxFaces: 1, minProbability: 0.5 }), []);
});

test("nothing is answered after the end, and nobody waits for ever", async () => {
  const stream = await mien.stream({ smooth: "ema" });
  assert.deepEqual((await stream.next(blank, 0)).faces, []);
  await stream.close();
  await refused(stream.next(blank, 1), /stream was closed/);
  mien.close();
  await refused(mien.recognize(blank), /mien was closed/);
});
