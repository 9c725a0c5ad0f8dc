// What benchmarks/browser.py runs in a page: mien and human on the same canvas, one after the other in each turn.

import { FILES, load } from "/engine.js";

const CONFIG = {
  backend: "wasm", wasmPath: "/tfjs/", modelBasePath: "/human/models/", cacheSensitivity: 0, debug: false,
  filter: { enabled: false }, gesture: { enabled: false }, body: { enabled: false }, hand: { enabled: false }, object: { enabled: false },
  face: {
    enabled: true, detector: { rotation: false, maxDetected: 10, skipFrames: 0, skipTime: 0 }, mesh: { enabled: false },
    iris: { enabled: false }, description: { enabled: false }, antispoof: { enabled: false }, liveness: { enabled: false },
    emotion: { enabled: true, skipFrames: 0, skipTime: 0 },
  },
};

const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
let count = 0;

/** A photo that moves a little, so that nothing can be taken from the frame before. */
function draw(photo) {
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#5a5a5a";
  pen.fillRect(0, 0, 640, 480);
  pen.drawImage(photo, 80 + 40 * Math.sin(count++ / 16), 0, 480, 480);
}

async function timed(action) {
  const started = performance.now();
  const faces = await action();
  return [performance.now() - started, faces];
}

/** Milliseconds of each way by name, `turns` times, in turns; and how many faces were found. */
window.measure = async (turns, withHuman) => {
  const started = performance.now();
  const mien = await load({ assets: FILES });
  const photo = await createImageBitmap(await (await fetch("/photo.jpg")).blob());
  draw(photo);
  const ready = performance.now() - started;
  const stream = await mien.stream();
  const ways = {
    "mien, all of 640x480": async () => (await mien.recognize(canvas)).length,
    "mien, detection at 320": async () => (await mien.recognize(canvas, { minFace: 192 })).length,
    "mien, following": async () => (await stream.next(canvas, count / 25)).faces.length,
  };
  if (withHuman) {
    const { default: Human } = await import("/human/dist/human.esm.js");
    const human = new Human(CONFIG);
    await human.load();
    ways["human, detector and emotion"] = async () => (await human.detect(canvas)).face.filter(({ emotion }) => emotion?.length).length;
  }
  const found = Object.fromEntries(Object.keys(ways).map((name) => [name, { times: [], faces: [] }]));
  for (let turn = -3; turn < turns; turn++) {
    for (const [name, action] of Object.entries(ways)) {
      draw(photo);
      const [time, faces] = await timed(action);
      if (turn < 0) continue;
      found[name].times.push(time);
      found[name].faces.push(faces);
    }
  }
  return { ready, found };
};
