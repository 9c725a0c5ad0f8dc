// What the service's api.js is to its page, without a service: the engine in a worker of this page.

import { FILES, load } from "./engine.js";
import { learn } from "./classes.js";

/** Whether files of any size may be looked at: nothing is sent. */
export const UNLIMITED = true;

/** The event of the document when another model is used. */
export const MODEL_USED = "mien-model";

/** Seconds between two moments of a video file that are looked at. */
const STEP = 0.1;
const FAR = 1e9;
/** Milliseconds that a picture gets to be shown; a browser may not show one again that stays the same. */
const PATIENCE = 1000;
/** Pictures at once: one is decoded while another is looked at. Eight photos of 36 megapixels would take 1.1 GB. */
const AT_ONCE = 2;

/** A file that cannot be read; statuses are those of the service. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let engine;
let header = {};

/** The engine, loaded once. */
export function theEngine() {
  engine ??= load({ assets: FILES, threads: "auto" }).then(async (mien) => {
    await adopted(mien);
    return mien;
  });
  return engine;
}

/** Take over the classes and the name of the engine's model. */
async function adopted(mien) {
  header = await mien.header();
  learn({ labels: mien.labels, colours: mien.card.colours ?? {} });
}

/** What results come from: schema, versions, model and options. */
export function resultsHeader() {
  return header;
}

/** Resolves when the engine is ready. */
export async function checkAccess() {
  await theEngine();
}

/** Whether a file is a model to read expressions with. */
export const isModel = (file) => file.name.toLowerCase().endsWith(".onnx");

/** Use such a model from now on; its name. */
export async function useModel(file) {
  const mien = await theEngine();
  const { name } = await mien.use(file);
  await adopted(mien);
  document.dispatchEvent(new Event(MODEL_USED));
  return name;
}

/** The frames of picture files, in order. */
export async function predict(files) {
  const mien = await theEngine();
  const frames = [];
  const lane = async (first) => {
    for (let at = first; at < files.length; at += AT_ONCE) frames[at] = await frameOf(mien, files[at]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, first) => lane(first)));
  return frames;
}

async function frameOf(mien, file) {
  try {
    return await mien.frame(file, { source: file.name });
  } catch (error) {
    return failedFrame(file, error.message);
  }
}

function failedFrame(file, error) {
  return { schema: header.schema, source: file.name, index: 0, time: null, width: 0, height: 0, faces: [], error };
}

/** The frames of a video file, one by one. */
export async function* predictVideo(file) {
  const mien = await theEngine();
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, preload: "auto" });
  video.src = URL.createObjectURL(file);
  let stream;
  try {
    const seconds = await durationOf(video, file);
    stream = await mien.stream({ source: file.name, smooth: "ema" });
    const count = Math.max(1, Math.ceil(seconds / STEP - 0.1)); // durations are rounded up
    for (let number = 0; number < count; number++) {
      const time = Math.round(number * STEP * 1e6) / 1e6;
      await seeked(video, time, file);
      yield stream.next(video, time);
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    yield failedFrame(file, error.message);
  } finally {
    await stream?.close();
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
    video.load();
  }
}

/** Recordings of browsers do not say how long they are, until their end was looked for. */
async function durationOf(video, file) {
  await pictureAfter("loadeddata", video, file);
  if (video.duration === Infinity) await seeked(video, FAR, file);
  return video.duration === Infinity ? video.currentTime : video.duration;
}

async function seeked(video, time, file) {
  if (video.currentTime === time && !video.seeking) return;
  await pictureAfter("seeked", video, file, () => (video.currentTime = time));
}

/** Wait until an event has happened, and until the picture that comes with it can be copied. */
async function pictureAfter(name, video, file, begin = () => {}) {
  const shown = nextPicture(video); // before it begins, or it might be shown unseen
  begin();
  await happened(video, name, file);
  await Promise.race([shown, new Promise((done) => setTimeout(done, PATIENCE))]);
}

/** Resolves when the next picture of a video can be copied: on a busy machine some time after `seeked`, and until then
 * the one before is. Where nothing is shown, and in old browsers, at once. */
function nextPicture(video) {
  if (document.hidden || !video.requestVideoFrameCallback) return Promise.resolve();
  return new Promise((done) => video.requestVideoFrameCallback(done));
}

function happened(video, name, file) {
  return new Promise((done, failed) => {
    const refuse = () => failed(new Refused(422, `${file.name}: this browser cannot play it`));
    video.addEventListener(name, done, { once: true });
    video.addEventListener("error", refuse, { once: true });
    if (video.error) refuse();
  });
}

/**
 * A live stream. Pictures go to the engine with `send`, results come to `onResult(frame, sentAt)`; `onEnd(reason,
 * opened)` is called once when it fails.
 */
export class LiveStream {
  #stream;
  #sentAt = new Map();
  #count = 0;
  #on;
  #closed = false;

  constructor({ onReady, onResult, onEnd }) {
    this.#on = { onResult, onEnd };
    theEngine()
      .then((mien) => mien.stream({ smooth: "ema", live: true }))
      .then((stream) => {
        this.#stream = stream;
        if (this.#closed) this.close();
        else onReady();
      })
      .catch((error) => onEnd(error.message, false));
  }

  /** Pictures that were sent and are not answered, or left out, yet. */
  get waiting() {
    return this.#sentAt.size;
  }

  /** What `send` takes: what a canvas shows. */
  encoded(canvas) {
    return createImageBitmap(canvas);
  }

  /** The number of the picture, which its result carries; undefined when it cannot be sent, or was sent already. */
  send(picture) {
    if (!this.#stream || this.#closed || !picture.width) return undefined;
    const number = this.#count++;
    this.#sentAt.set(number, performance.now());
    this.#stream.next(picture).then(
      (frame) => this.#answered(number, frame),
      (error) => this.#failed(error),
    );
    return number;
  }

  close() {
    this.#closed = true;
    this.#stream?.close();
  }

  #answered(number, frame) {
    const sentAt = this.#sentAt.get(number);
    this.#sentAt.delete(number);
    if (frame && !this.#closed) this.#on.onResult(frame, sentAt);
  }

  #failed(error) {
    if (this.#closed) return;
    this.close();
    this.#on.onEnd(error.message, true);
  }
}
