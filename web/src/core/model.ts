// The model: face crops in, calibrated probabilities out (mien/model/onnx_model.py).

import { cardInside, cardOf, type Card } from "./card.js";
import { MienError, type Pixels } from "./pixels.js";
import { inputOf } from "./preprocess.js";
import { openSession, type Runtime, type Session } from "./runtime.js";
import { sha256 } from "./sha256.js";

const BATCH = 64;
const TINY = 2 ** -126;

export class Model {
  private constructor(
    private readonly ort: Runtime,
    private readonly session: Session,
    readonly card: Card,
  ) {}

  /** Open a model file with its card; without one, with the card inside the file.
   *
   * @throws MienError: the file or its card is unusable.
   */
  static async open(ort: Runtime, file: Uint8Array, card?: Record<string, unknown>, providers?: readonly string[]): Promise<Model> {
    const checked = cardOf(card ?? cardInside(file), sha256(file));
    let session: Session;
    try {
      session = await openSession(ort, file, providers);
    } catch (error) {
      throw new MienError(`not a usable ONNX file (${(error as Error).message.split("\n")[0]})`);
    }
    if (session.inputNames.length !== 1 || session.outputNames.length !== 1) {
      throw new MienError(`the network has ${session.inputNames.length} inputs and ${session.outputNames.length} outputs: expected one of each`);
    }
    const model = new Model(ort, session, checked);
    const { face_size: side, channels } = checked.preprocess;
    await model.logits([{ data: new Uint8Array(side * side * channels), width: side, height: side, channels }]);
    return model;
  }

  /** Logits of face crops, a row for each. */
  async logits(faces: readonly Pixels[]): Promise<number[][]> {
    const rows: number[][] = [];
    const batch = this.card.interface.batch ?? BATCH;
    for (let start = 0; start < faces.length; start += batch) rows.push(...(await this.#run(faces.slice(start, start + batch))));
    return rows;
  }

  /** Calibrated probabilities of face crops, a row for each, summing to 1. */
  async probabilities(faces: readonly Pixels[]): Promise<number[][]> {
    return (await this.logits(faces)).map((row) => softmax(row.map((logit) => logit / this.card.temperature)));
  }

  release(): Promise<void> | undefined {
    return this.session.release?.();
  }

  async #run(faces: readonly Pixels[]): Promise<number[][]> {
    const { interface: { columns, outputs, width }, preprocess } = this.card;
    const count = this.card.interface.batch ?? faces.length;
    const input = arranged(inputOf(faces, preprocess), count, this.card);
    const { dims, data } = (await this.session.run({ [this.session.inputNames[0]!]: new this.ort.Tensor("float32", input.data, input.dims) }))[this.session.outputNames[0]!]!;
    if (dims.length !== 2 || dims[0] !== count || dims[1] !== width) {
      throw new MienError(`the network's outputs are ${dims.join("x")}: expected ${count}x${width}, one for each label`);
    }
    const values = data as Float32Array;
    const chosen = faces.map((_, row) => columns.map((column) => values[row * width + column]!));
    if (!chosen.flat().every(Number.isFinite)) throw new MienError("the network gives logits that are not finite; export it again");
    return outputs === "logits" ? chosen : chosen.map((row) => row.map((value) => Math.log(Math.max(value, TINY))));
  }
}

/** Preprocessed faces as the network takes them. */
function arranged(input: Float32Array, count: number, { interface: { gain, shift, layout }, preprocess }: Card): { data: Float32Array; dims: number[] } {
  const { input_size: side, channels } = preprocess;
  const [wanted, plane] = [gain.length, side * side];
  const dims = layout === "nchw" ? [count, wanted, side, side] : [count, side, side, wanted];
  const plain = layout === "nchw" && wanted === channels && input.length === count * channels * plane && gain.every((value) => value === 1) && shift.every((value) => value === 0);
  if (plain) return { data: input, dims };
  const data = new Float32Array(count * wanted * plane);
  const given = input.length / (channels * plane);
  for (let face = 0; face < given; face++) {
    for (let channel = 0; channel < wanted; channel++) {
      const from = (face * channels + (channels === 1 ? 0 : channel)) * plane;
      const [factor, offset] = [Math.fround(gain[channel]!), Math.fround(shift[channel]!)];
      for (let at = 0; at < plane; at++) {
        const into = layout === "nchw" ? (face * wanted + channel) * plane + at : (face * plane + at) * wanted + channel;
        data[into] = Math.fround(input[from + at]! * factor) + offset;
      }
    }
  }
  return { data, dims };
}

export function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const shares = logits.map((logit) => Math.exp(logit - most));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => share / sum);
}
