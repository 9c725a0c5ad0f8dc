// From pixels to faces: find, cut out, classify; follow and steady in streams (mien/recognition).

import { alignFace } from "./align.js";
import type { Card } from "./card.js";
import { YuNetDetector } from "./detector.js";
import { Follower, WEAK_SHARE } from "./follow.js";
import { Model } from "./model.js";
import { MienError, toGray, toRgb, type Pixels } from "./pixels.js";
import { inside, rounded, SCHEMA, type Detection, type Face, type Frame, type Quality } from "./results.js";
import { qualityOf } from "./quality.js";
import type { Runtime } from "./runtime.js";
import { Smoother, SMOOTHINGS, type Reading, type SmoothingName } from "./smoothing.js";
import { YuNet } from "./yunet.js";

/** What an engine is made of. */
export interface Parts {
  /** The module `onnxruntime-web/wasm`, or another build of onnxruntime. */
  ort: Runtime;
  /** Content of YuNet's file; like the others it may still be on its way. */
  detector: Uint8Array | Promise<Uint8Array>;
  /** Content of a model file. */
  model: Uint8Array | Promise<Uint8Array>;
  /** Its card, as `mien web` writes it; by default the card inside the file. */
  card?: Record<string, unknown> | Promise<Record<string, unknown>> | undefined;
  /** Execution providers of onnxruntime, for example `["webgpu"]`. */
  providers?: readonly string[] | undefined;
}

export interface Options {
  /** Faces with a lower score of the detector are left out, 0..1; 0.6 by default. */
  minConfidence?: number;
  /** Height in pixels from which faces are found in images of any size; 48 by default. A larger one is faster: 192
   * looks at images of 640 pixels in half their size. */
  minFace?: number;
  /** Probability from which an expression counts as certain, 0..1; 0 by default. */
  minProbability?: number;
  /** At most so many faces, the largest. */
  maxFaces?: number;
}

export interface StreamOptions extends Options {
  smooth?: SmoothingName;
  /** Frames between two searches of the whole image; by default twice a second. */
  every?: number;
  /** Whether the stream is live: searches of the whole image then take at most half of the time. */
  live?: boolean;
}

const DEFAULTS = { minConfidence: 0.6, minFace: 48, minProbability: 0, maxFaces: Infinity };
const OF_STREAMS = ["smooth", "every", "live"];
const SMALLEST_FACE = 12;

type Checked = Required<Options>;

/** @throws MienError: an option that there is not, or out of range. */
export function checked(options: Options): Checked {
  const known = [...Object.keys(DEFAULTS), ...OF_STREAMS];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown) throw new MienError(`there is no option ${unknown}: expected one of ${known.join(", ")}`);
  const whole = { ...DEFAULTS, ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) } as Checked;
  for (const name of ["minConfidence", "minProbability"] as const) {
    if (!(whole[name] >= 0 && whole[name] <= 1)) throw new MienError(`${name} is ${whole[name]}: expected 0..1`);
  }
  if (!(whole.minFace >= SMALLEST_FACE)) throw new MienError(`minFace is ${whole.minFace}: expected at least ${SMALLEST_FACE} pixels`);
  if (!(whole.maxFaces >= 1 && (Number.isInteger(whole.maxFaces) || whole.maxFaces === Infinity))) throw new MienError(`maxFaces is ${whole.maxFaces}: expected a whole number of at least 1`);
  return whole;
}

interface Candidate {
  readonly box: [number, number, number, number];
  readonly detection: Detection;
  readonly crop: Pixels;
  readonly quality: Quality;
  readonly track: number | null;
}

/** Recognises faces and their expressions in pixels. */
export class Engine {
  private constructor(
    private readonly ort: Runtime,
    private readonly yunet: YuNet,
    private model: Model,
    private readonly providers: readonly string[] | undefined,
  ) {}

  /** @throws MienError: a file or the card is unusable. */
  static async open({ ort, detector, model, card, providers }: Parts): Promise<Engine> {
    const [yunet, opened] = await Promise.all([
      Promise.resolve(detector).then((file) => YuNet.open(ort, file, providers)),
      Promise.all([model, card]).then(([file, values]) => Model.open(ort, file, values, providers)),
    ]);
    return new Engine(ort, yunet, opened, providers);
  }

  get card(): Card {
    return this.model.card;
  }

  /** Use another model from now on. When it is unusable, the model that was there stays. */
  async use(model: Uint8Array, card?: Record<string, unknown>): Promise<void> {
    const before = this.model;
    this.model = await Model.open(this.ort, model, card, this.providers);
    await before.release();
  }

  /** What results come from. */
  header(options: StreamOptions = {}): Record<string, unknown> {
    const { card } = this;
    const { minConfidence, minFace } = checked(options);
    const told = { detector: "yunet", min_confidence: minConfidence, min_face: minFace };
    const stream = options.smooth && { every: options.every ?? null, smooth: options.smooth };
    return { schema: SCHEMA, mien: card.mien ?? null, model: { name: card.name, sha256: card.sha256 }, labels: card.labels, options: { ...told, ...stream } };
  }

  /** The faces in a picture. */
  async recognize(image: Pixels, source = "image", options: Options = {}): Promise<Frame> {
    const asked = checked(options);
    const found = (await this.detector(asked).detect(image)).filter(({ score }) => score >= asked.minConfidence);
    const readings = await this.read(image, found.map((face) => [face, null]), asked);
    return frame(source, 0, null, image, readings.map(({ face }) => face));
  }

  /** A stream of images of the same people. */
  stream(options: StreamOptions = {}, source = "stream"): Stream {
    return new Stream(this, options, source);
  }

  async release(): Promise<void> {
    await Promise.all([this.yunet.release(), this.model.release()]);
  }

  /** What finds faces, weak ones too. */
  detector({ minConfidence, minFace }: Checked): YuNetDetector {
    return new YuNetDetector(this.yunet, { minScore: WEAK_SHARE * minConfidence, minFace });
  }

  /** Cut out faces, largest first, and read their expressions. */
  async read(image: Pixels, found: readonly (readonly [Detection, number | null])[], asked: Checked): Promise<Reading[]> {
    const { face_size: side, channels } = this.card.preprocess;
    const visible = found.flatMap(([detection, track]) => {
      const box = inside(detection.box, image.width, image.height);
      return box ? [{ box, detection, track }] : [];
    });
    visible.sort((one, other) => other.box[2] * other.box[3] - one.box[2] * one.box[3]);
    visible.splice(asked.maxFaces);
    if (!visible.length) return [];
    const pixels = channels === 1 ? toGray(image) : toRgb(image);
    const candidates = visible.map((face): Candidate => {
      const crop = alignFace(pixels, face.detection.landmarks, side);
      return { ...face, crop, quality: qualityOf(face.box[3], face.detection, crop) };
    });
    const rows = await this.model.probabilities(candidates.map(({ crop }) => crop));
    return candidates.map((candidate, number) => reading(candidate, number, rows[number]!, this.card.labels, asked.minProbability));
  }
}

/** The frames of one stream, in order. */
export class Stream {
  #follower: Follower;
  #smoother: Smoother;
  #asked: Checked;
  #count = 0;

  constructor(
    private readonly engine: Engine,
    options: StreamOptions,
    private readonly source: string,
  ) {
    const { smooth = "ema", every, live = false } = options;
    if (!SMOOTHINGS.includes(smooth)) throw new MienError(`unknown smoothing ${smooth}: expected one of ${SMOOTHINGS.join(", ")}`);
    if (every !== undefined && !(Number.isInteger(every) && every >= 1)) throw new MienError(`every is ${every}: expected a whole number of frames`);
    this.#asked = checked(options);
    this.#smoother = new Smoother(smooth, engine.card.labels);
    const clock = live ? (): number => performance.now() / 1000 : undefined;
    this.#follower = new Follower(engine.detector(this.#asked), { minScore: this.#asked.minConfidence, every, clock });
  }

  /** The faces of the next image; `time` in seconds, never falling, `index` its number. */
  async next(image: Pixels, time: number, index = this.#count): Promise<Frame> {
    this.#count = index + 1;
    const readings = await this.engine.read(image, await this.#follower.follow(image, index, time), this.#asked);
    const faces = this.#smoother.smooth(readings, time).map((face) => ({ ...face, certain: face.probability >= this.#asked.minProbability }));
    return frame(this.source, index, time, image, faces);
  }
}

function reading({ box, detection, track, quality }: Candidate, number: number, probabilities: number[], labels: readonly string[], least: number): Reading {
  const best = probabilities.indexOf(Math.max(...probabilities));
  const face: Face = {
    face: number,
    box,
    confidence: detection.score,
    emotion: labels[best]!,
    probability: rounded(probabilities[best]!),
    certain: probabilities[best]! >= least,
    ...quality,
    probabilities: Object.fromEntries(labels.map((label, index) => [label, rounded(probabilities[index]!)])),
    landmarks: detection.landmarks.map(([x, y]) => [x, y]),
    track,
  };
  return { face, probabilities };
}

function frame(source: string, index: number, time: number | null, image: Pixels, faces: Face[]): Frame {
  return { schema: SCHEMA, source, index, time, width: image.width, height: image.height, faces, error: null };
}
