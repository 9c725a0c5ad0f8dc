// What owns the engine: in a worker, or in Node and workers of one's own in the same thread.

import * as ort from "onnxruntime-web/wasm";
import { Engine, MienError, type Pixels, type Runtime, type Stream } from "./core/index.js";
import { PixelReader } from "./images.js";
import type { Assets, Calls, Loaded } from "./protocol.js";

type Host = { [Name in keyof Calls]: (...values: Parameters<Calls[Name]>) => Promise<ReturnType<Calls[Name]>> };

const TIMED = { width: 320, height: 256 };
const TIMED_RUNS = 5;

async function content(address: string): Promise<Uint8Array> {
  if (address.startsWith("file:")) {
    const { readFile } = await import("node:fs/promises");
    return new Uint8Array(await readFile(new URL(address)));
  }
  const answer = await fetch(address);
  if (!answer.ok) throw new MienError(`${address}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

export class EngineHost implements Host {
  #engine!: Engine;
  #reader: PixelReader | undefined;
  #streams = new Map<number, Stream>();

  async load({ wasm, detector, model, card }: Assets, threads: number): Promise<Loaded> {
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = "error";
    if (wasm.startsWith("file:")) ort.env.wasm.wasmBinary = (await content(wasm)).buffer as ArrayBuffer;
    else ort.env.wasm.wasmPaths = { wasm };
    const values = content(card).then((text) => JSON.parse(new TextDecoder().decode(text)) as Record<string, unknown>);
    const [engine, reader] = await Promise.all([
      Engine.open({ ort: ort as unknown as Runtime, detector: content(detector), model: content(model), card: values }),
      typeof OffscreenCanvas === "undefined" ? undefined : PixelReader.tested(),
    ]);
    [this.#engine, this.#reader] = [engine, reader];
    const runtime = `onnxruntime-web ${ort.env.versions.web}`;
    return { card: this.#engine.card, fidelity: reader?.fidelity ?? "exact", threads, runtime, pace: threads > 1 ? await this.pace() : 0 };
  }

  async recognize(image: ImageBitmap | Pixels, ...rest: [string, object]) {
    return this.#engine.recognize(await this.#pixels(image), ...rest);
  }

  async use(model: Uint8Array, card?: Record<string, unknown>) {
    await this.#engine.use(model, card);
    return this.#engine.card;
  }

  async open(stream: number, ...rest: [object, string]) {
    this.#streams.set(stream, this.#engine.stream(...rest));
    return null;
  }

  async next(stream: number, image: ImageBitmap | Pixels, time: number, index: number) {
    const opened = this.#streams.get(stream);
    if (!opened) throw new MienError("the stream was closed");
    return opened.next(await this.#pixels(image), time, index);
  }

  async close(stream: number) {
    this.#streams.delete(stream);
    return null;
  }

  async header(options: object) {
    return { ...this.#engine.header(options), runtime: `onnxruntime-web ${ort.env.versions.web}` };
  }

  /** Milliseconds of one search at 320 pixels, the quickest of some. */
  async pace(): Promise<number> {
    const image: Pixels = { ...TIMED, channels: 1, data: new Uint8Array(TIMED.width * TIMED.height) };
    let quickest = Infinity;
    for (let run = 0; run < TIMED_RUNS; run++) {
      const started = performance.now();
      await this.#engine.recognize(image);
      quickest = Math.min(quickest, performance.now() - started);
    }
    return quickest;
  }

  async #pixels(image: ImageBitmap | Pixels): Promise<Pixels> {
    if ("data" in image) return image;
    if (!this.#reader) throw new MienError("this place has no canvas: hand in pixels, { data, width, height }");
    return this.#reader.read(image);
  }
}
