// Messages between the page and its worker. Every request has a number, and gets one answer.

import type { Card, Frame, Options, Pixels, StreamOptions } from "./core/index.js";
import type { Fidelity } from "./images.js";

/** Addresses of what the engine loads. */
export interface Assets {
  /** onnxruntime's WebAssembly. */
  wasm: string;
  /** YuNet's file. */
  detector: string;
  /** The model file, and its card as JSON. */
  model: string;
  card: string;
}

export interface Loaded {
  card: Card;
  fidelity: Fidelity;
  threads: number;
  runtime: string;
  /** Milliseconds of one detection, a measure of the number of threads. */
  pace: number;
}

export interface Calls {
  load: (assets: Assets, threads: number) => Loaded;
  recognize: (image: ImageBitmap | Pixels, source: string, options: Options) => Frame;
  use: (model: Uint8Array, card: Record<string, unknown> | undefined) => Card;
  open: (stream: number, options: StreamOptions, source: string) => null;
  next: (stream: number, image: ImageBitmap | Pixels, time: number, index: number) => Frame;
  close: (stream: number) => null;
  header: (options: StreamOptions) => Record<string, unknown>;
  /** Milliseconds of one search at 320 pixels. */
  pace: () => number;
}

export type Call = keyof Calls;
export type Request = { [Name in Call]: { id: number; call: Name; values: Parameters<Calls[Name]> } }[Call];
export type Answer = { id: number; value: unknown } | { id: number; error: string; known: boolean };
