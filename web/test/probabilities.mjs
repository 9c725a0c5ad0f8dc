// Probabilities of faces in a folder, as JSON: node probabilities.mjs FOLDER SIDE CHANNELS. MIEN_BUILD is what was built.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as ort from "onnxruntime-web/wasm";

const { Model } = await import(pathToFileURL(join(process.env.MIEN_BUILD, "core.js")));
const [, , folder, side, channels] = process.argv;
const file = (name) => new Uint8Array(readFileSync(join(folder, name)));
ort.env.wasm.numThreads = 1;
const model = await Model.open(ort, file("model.onnx"), JSON.parse(readFileSync(join(folder, "card.json"), "utf8")));
const [faces, size] = [file("faces.bin"), side * side * channels];
const crops = Array.from({ length: faces.length / size }, (_, number) => ({
  data: faces.subarray(number * size, (number + 1) * size), width: Number(side), height: Number(side), channels: Number(channels),
}));
console.log(JSON.stringify(await model.probabilities(crops)));
