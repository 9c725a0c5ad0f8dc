// mien in the browser and in Node: load() once, then recognize(image).

import { MienError, pixelsOf, type Card, type Face, type Frame, type Options, type StreamOptions } from "./core/index.js";
import { portable, type Fidelity, type Image } from "./images.js";
import type { Answer, Assets, Call, Calls, Loaded } from "./protocol.js";

export { MienError };
export type { Assets, Card, Face, Fidelity, Frame, Image, Options, StreamOptions };

export interface LoadOptions {
  /** Addresses of the files; those that are not given lie beside this module. */
  assets?: Partial<Assets & { worker: string }>;
  /** Whether the engine runs in a worker of its own; by default where there are workers. */
  worker?: boolean;
  /** Threads of the network. "auto" times several, where the page is isolated (COOP and COEP), and keeps them only when
   * they are clearly faster; 1 by default, since on busy cores two were slower than one. */
  threads?: number | "auto";
}

const FASTER = 1.25;
const MOST_THREADS = 4;
const WORKER_NAME = "mien-engine";
const CLOSED = "mien was closed";

type Sender = <Name extends Call>(call: Name, ...values: Parameters<Calls[Name]>) => Promise<ReturnType<Calls[Name]>>;

interface Link {
  send: Sender;
  end(): void;
}

/** Load the engine: about 4 MB, once. */
export async function load(options: LoadOptions = {}): Promise<Mien> {
  const { worker: workerFile, ...assets } = { ...beside(), ...options.assets };
  const inWorker = options.worker ?? (typeof Worker !== "undefined" && typeof document !== "undefined");
  const connect = inWorker ? (): Promise<Link> => workerLink(workerFile) : sameThread;
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;
  const threads = options.threads === "auto" ? (inWorker && isolated ? "auto" : 1) : isolated || !inWorker ? (options.threads ?? 1) : 1;
  if (threads !== "auto" && !(Number.isInteger(threads) && threads >= 1)) throw new MienError(`threads is ${threads}: expected a whole number, or "auto"`);
  const link = await connect();
  try {
    const loaded = await link.send("load", assets, threads === "auto" ? 1 : threads);
    return threads === "auto" ? await faster(new Mien(link, loaded), assets, connect) : new Mien(link, loaded);
  } catch (error) {
    link.end();
    throw error;
  }
}

/** The files beside this module: literal addresses, so that bundlers find them. */
function beside(): Assets & { worker: string } {
  return {
    worker: new URL("./worker.js", import.meta.url).href,
    wasm: new URL("./ort-wasm-simd-threaded.wasm", import.meta.url).href,
    detector: new URL("./yunet.onnx", import.meta.url).href,
    model: new URL("./model.onnx", import.meta.url).href,
    card: new URL("./model.json", import.meta.url).href,
  };
}

/** The same with several threads, where they are clearly faster. */
async function faster(single: Mien, assets: Assets, connect: () => Promise<Link>): Promise<Mien> {
  const threads = Math.min(MOST_THREADS, Math.floor(navigator.hardwareConcurrency / 2));
  if (threads < 2) return single;
  const link = await connect();
  try {
    const loaded = await link.send("load", assets, threads);
    if (loaded.pace * FASTER < (await single.pace())) {
      single.close();
      return new Mien(link, loaded);
    }
  } catch {
    // Threads that cannot start are no reason to do without the engine that runs.
  }
  link.end();
  return single;
}

async function workerLink(file: string): Promise<Link> {
  const worker = new Worker(file, { type: "module", name: WORKER_NAME });
  const waiting = new Map<number, { done(value: unknown): void; failed(error: Error): void }>();
  let count = 0;
  let ended = false;
  const fail = (message: string): void => {
    for (const { failed } of waiting.values()) failed(new MienError(message));
    waiting.clear();
  };
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    const asked = waiting.get(data.id);
    waiting.delete(data.id);
    if ("error" in data) asked?.failed(data.known ? new MienError(data.error) : new Error(data.error));
    else asked?.done(data.value);
  };
  worker.onerror = (event) => fail(`the worker cannot run (${event.message || file})`);
  const send = (call: Call, ...values: unknown[]): Promise<unknown> =>
    new Promise((done, failed) => {
      if (ended) throw new MienError(CLOSED);
      const id = count++;
      waiting.set(id, { done, failed });
      worker.postMessage({ id, call, values }, values.filter((value) => typeof ImageBitmap !== "undefined" && value instanceof ImageBitmap) as Transferable[]);
    });
  return {
    send: send as Sender,
    end: () => {
      ended = true;
      worker.terminate();
      fail(CLOSED);
    },
  };
}

async function sameThread(): Promise<Link> {
  const { EngineHost } = await import("./worker.js");
  const host = new EngineHost();
  let turn: Promise<unknown> = Promise.resolve();
  let ended = false;
  const answered = async (call: Call, values: unknown[]): Promise<unknown> => {
    if (ended) throw new MienError(CLOSED);
    try {
      return await (host[call] as (...values: unknown[]) => Promise<unknown>).apply(host, values);
    } catch (error) {
      // The worker's file has a class of its own of this name.
      throw (error as Error).name === "MienError" ? new MienError((error as Error).message) : error;
    }
  };
  const send = (call: Call, ...values: unknown[]): Promise<unknown> => {
    const answer = turn.then(() => answered(call, values));
    turn = answer.catch(() => undefined);
    return answer;
  };
  return { send: send as Sender, end: () => void (ended = true) };
}

/** Facial expressions in images, wholly on this machine. */
export class Mien {
  #streams = 0;
  #link: Link;
  #loaded: Loaded;

  constructor(link: Link, loaded: Loaded) {
    [this.#link, this.#loaded] = [link, loaded];
  }

  /** Class names of the model, in its order. */
  get labels(): readonly string[] {
    return this.card.labels;
  }

  /** What the model is: name, SHA-256, labels, temperature, licence. */
  get card(): Card {
    return this.#loaded.card;
  }

  /** How truly this browser lets pixels be read. */
  get fidelity(): Fidelity {
    return this.#loaded.fidelity;
  }

  get threads(): number {
    return this.#loaded.threads;
  }

  /** The faces in a picture or in the moment of a video that is shown, largest first. */
  async recognize(image: Image, options: Options = {}): Promise<Face[]> {
    return (await this.frame(image, options)).faces;
  }

  /** The same with the size of the image: what `mien predict --format jsonl` writes for a picture. */
  async frame(image: Image, options: Options & { source?: string } = {}): Promise<Frame> {
    const { source = "image", ...asked } = options;
    return this.#link.send("recognize", await taken(image), source, asked);
  }

  /** A stream of images of the same people: they are followed, and their expressions steadied. */
  async stream(options: StreamOptions & { source?: string } = {}): Promise<MienStream> {
    const { source = "stream", ...asked } = options;
    const number = this.#streams++;
    await this.#link.send("open", number, asked, source);
    return new MienStream(this.#link.send, number);
  }

  /** Read expressions with another model from now on: an ONNX file that `mien export` wrote. */
  async use(model: Uint8Array | Blob, card?: Record<string, unknown>): Promise<Card> {
    const content = model instanceof Uint8Array ? model : new Uint8Array(await model.arrayBuffer());
    const used = await this.#link.send("use", content, card);
    this.#loaded = { ...this.#loaded, card: used };
    return used;
  }

  /** What results come from: schema, version, model, labels, options. */
  header(options: StreamOptions = {}): Promise<Record<string, unknown>> {
    return this.#link.send("header", options);
  }

  /** Milliseconds of one detection at 320 pixels, the quickest of five. */
  async pace(): Promise<number> {
    return this.#link.send("pace");
  }

  close(): void {
    this.#link.end();
  }
}

/** The images of one stream. One is looked at, one may wait; a newer one takes the place of the one that waits. */
export class MienStream {
  #waiting: { image: Image; time: number; index: number; done(frame: Frame | null): void; failed(error: unknown): void } | null = null;
  #busy = false;
  #count = 0;
  #started: number | undefined;
  #send: Sender;
  #number: number;

  constructor(send: Sender, number: number) {
    [this.#send, this.#number] = [send, number];
  }

  /** The faces of the next image; null when a newer one took its place. `time` in seconds, by default now. */
  next(image: Image, time?: number): Promise<Frame | null> {
    const now = performance.now() / 1000;
    this.#started ??= now;
    return new Promise((done, failed) => {
      this.#waiting?.done(null);
      this.#waiting = { image, time: time ?? now - this.#started!, index: this.#count++, done, failed };
      if (!this.#busy) void this.#run();
    });
  }

  async close(): Promise<void> {
    this.#waiting?.done(null);
    this.#waiting = null;
    await this.#send("close", this.#number);
  }

  async #run(): Promise<void> {
    this.#busy = true;
    for (let asked = this.#waiting; asked; asked = this.#waiting) {
      this.#waiting = null;
      try {
        asked.done(await this.#send("next", this.#number, await taken(asked.image), asked.time, asked.index));
      } catch (error) {
        asked.failed(error);
      }
    }
    this.#busy = false;
  }
}

function taken(image: Image) {
  const plain = typeof createImageBitmap === "undefined";
  if (typeof image !== "object" || image === null || (plain && !("data" in image))) {
    throw new MienError(`an image is ${plain ? "pixels here, { data, width, height }" : "a file, bitmap, canvas, video, or pixels"}; this is ${String(image)}`);
  }
  return plain ? pixelsOf(image as ImageData) : portable(image);
}
