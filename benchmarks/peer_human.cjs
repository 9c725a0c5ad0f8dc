// `@vladmandic/human` on its WebAssembly backend, for peers.py; run where it is installed.
//
// node peer_human.cjs photos FILE ...    a line of JSON for each photo: its file and its boxes
// node peer_human.cjs faces FILE         its network alone on a NumPy file of faces, uint8 (N, 48, 48);
//                                        classes in FER2013's order, which is also the network's
//
// Of its parts only the face detector and the expression network are switched on, and it may report 50 faces; by
// default it reports one and computes much more. sharp decodes, since the backend does not.

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const installed = createRequire(path.join(process.cwd(), 'package.json'));
const dist = path.dirname(installed.resolve('@vladmandic/human'));
const { Human } = installed(path.join(dist, 'human.node-wasm.js'));
const sharp = installed('sharp');
const BATCH = 64;

globalThis.fetch = async (url) => new Response(fs.readFileSync(path.join(dist, '..', 'models', path.basename(`${url}`))));

const off = { enabled: false };
const always = { skipFrames: 0, skipTime: 0 };
const config = {
  backend: 'wasm',
  wasmPath: `${path.dirname(installed.resolve('@tensorflow/tfjs-backend-wasm'))}/`,
  modelBasePath: 'http://models/',
  cacheSensitivity: 0,
  debug: false,
  filter: off, gesture: off, body: off, hand: off, object: off, segmentation: off,
  face: {
    enabled: true, detector: { maxDetected: 50, rotation: false, ...always }, emotion: { enabled: true, ...always },
    mesh: off, iris: off, description: off, antispoof: off, liveness: off,
  },
};

async function photos(human, files) {
  for (const file of files) {
    const { data, info } = await sharp(file).rotate().removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const pixels = human.tf.tensor3d(new Uint8Array(data), [info.height, info.width, 3], 'int32');
    const found = await human.detect(pixels);
    pixels.dispose();
    if (found.error) throw new Error(found.error);
    console.log(JSON.stringify({ file, boxes: found.face.map((face) => face.box) }));
  }
}

function batchOf(human, pixels) {
  const { tf } = human;
  const faces = tf.tensor4d(new Uint8Array(pixels), [pixels.length / 48 ** 2, 48, 48, 1], 'int32');
  return tf.mul(tf.sub(tf.div(tf.image.resizeBilinear(faces, [64, 64]), 255), 0.5), 2);
}

async function faces(human, file) {
  const content = fs.readFileSync(file);
  const pixels = content.subarray(10 + content.readUInt16LE(8));
  const model = await human.tf.loadGraphModel('http://models/emotion.json');
  const best = [];
  const started = process.cpuUsage();
  for (let at = 0; at < pixels.length; at += BATCH * 48 ** 2) {
    const scores = human.tf.tidy(() => human.tf.argMax(model.execute(batchOf(human, pixels.subarray(at, at + BATCH * 48 ** 2))), 1));
    best.push(...await scores.data());
    scores.dispose();
  }
  const spent = process.cpuUsage(started);
  console.log(JSON.stringify({ cpu: (spent.user + spent.system) / 1e6, best }));
}

async function main() {
  const human = new Human(config);
  await human.load();
  if (human.tf.getBackend() !== 'wasm') throw new Error(`backend ${human.tf.getBackend()}: expected wasm`);
  if (process.argv[2] === 'photos') await photos(human, process.argv.slice(3));
  else await faces(human, process.argv[3]);
}

main().catch((error) => { console.error(`${error}`); process.exit(1); });
