// YuNet's network: an image in, rows of faces out (mien/faces/yunet_network.py).

import { MienError, type Pixels } from "./pixels.js";
import { openSession, type Runtime, type Session, type Tensor } from "./runtime.js";

const STRIDES = [8, 16, 32] as const;
const MULTIPLE = 32;
const SAME_FACE_IOU = 0.3;
const MOST = 5000;

// The two input dimensions 640 in the file, and names of the same length in their place, so that any size may come.
const FIXED_SIZE = [0x0a, 0x03, 0x08, 0x80, 0x05, 0x0a, 0x03, 0x08, 0x80, 0x05];
const ANY_SIZE = [0x0a, 0x03, 0x12, 0x01, 0x68, 0x0a, 0x03, 0x12, 0x01, 0x77];

/** A face: x, y, width, height of its box, which may reach beyond the image; five points; score. */
export type Row = Float32Array;
export const SCORE = 14;

/** The file with open sizes. */
function anySize(file: Uint8Array): Uint8Array {
  const content = file.slice();
  for (let at = content.indexOf(FIXED_SIZE[0]!); at >= 0; at = content.indexOf(FIXED_SIZE[0]!, at + 1)) {
    if (FIXED_SIZE.every((byte, place) => content[at + place] === byte)) content.set(ANY_SIZE, at);
  }
  return content;
}

export class YuNet {
  #planes = new Float32Array(0);

  private constructor(
    private readonly ort: Runtime,
    private readonly session: Session,
  ) {}

  /** @throws MienError: not YuNet. */
  static async open(ort: Runtime, file: Uint8Array, providers?: readonly string[]): Promise<YuNet> {
    try {
      return new YuNet(ort, await openSession(ort, anySize(file), providers));
    } catch (error) {
      throw new MienError(`the face detector cannot be opened (${(error as Error).message.split("\n")[0]})`);
    }
  }

  /** The faces in an image that have at least a score, best first. */
  async rows(image: Pixels, minScore: number): Promise<Row[]> {
    const [width, height] = [image.width, image.height].map((side) => Math.ceil(side / MULTIPLE) * MULTIPLE) as [number, number];
    const planes = this.#filled(image, width, height);
    const outputs = await this.session.run({ [this.session.inputNames[0]!]: new this.ort.Tensor("float32", planes, [1, 3, height, width]) });
    return suppressed(STRIDES.flatMap((stride) => decoded(stride, width, outputs, minScore)));
  }

  release(): Promise<void> | undefined {
    return this.session.release?.();
  }

  /** Blue, green and red planes, zeros below and to the right. */
  #filled(image: Pixels, width: number, height: number): Float32Array {
    const size = width * height;
    if (this.#planes.length < 3 * size) this.#planes = new Float32Array(3 * size);
    const planes = this.#planes.subarray(0, 3 * size).fill(0);
    const { data, channels } = image;
    const step = channels === 1 ? 0 : 1;
    for (let y = 0, from = 0; y < image.height; y++) {
      for (let at = y * width, end = at + image.width; at < end; at++, from += channels) {
        planes[at] = data[from + 2 * step]!;
        planes[at + size] = data[from + step]!;
        planes[at + 2 * size] = data[from]!;
      }
    }
    return planes;
  }
}

/** The faces of one stride: every cell of the grid says one, relative to the cell. */
function decoded(stride: number, width: number, outputs: Record<string, Tensor>, minScore: number): Row[] {
  const [classes, objects, boxes, points] = ["cls", "obj", "bbox", "kps"].map((name) => outputs[`${name}_${stride}`]!.data as Float32Array) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const columns = width / stride;
  const found: Row[] = [];
  for (let cell = 0; cell < classes.length; cell++) {
    const sure = Math.min(1, Math.max(0, classes[cell]!)) * Math.min(1, Math.max(0, objects[cell]!));
    const score = Math.fround(Math.sqrt(Math.fround(sure)));
    if (!(score >= Math.fround(minScore))) continue;
    const [column, line] = [cell % columns, Math.floor(cell / columns)];
    const [w, h] = [Math.exp(boxes[4 * cell + 2]!), Math.exp(boxes[4 * cell + 3]!)];
    const row = new Float32Array(15);
    row.set([column + boxes[4 * cell]! - w / 2, line + boxes[4 * cell + 1]! - h / 2, w, h]);
    for (let point = 0; point < 10; point++) row[4 + point] = points[10 * cell + point]! + (point % 2 ? line : column);
    for (let at = 0; at < SCORE; at++) row[at] = row[at]! * stride;
    row[SCORE] = score;
    found.push(row);
  }
  return found;
}

/** Non-maximum suppression as OpenCV has it: intersection over union of boxes in whole pixels, best score first. */
function suppressed(rows: Row[]): Row[] {
  const ranked = rows.filter((row) => row.every(Number.isFinite)).sort((one, other) => other[SCORE]! - one[SCORE]!).slice(0, MOST);
  const kept: Row[] = [];
  for (const row of ranked) if (!kept.some((other) => wholePixelIou(row, other) > SAME_FACE_IOU)) kept.push(row);
  return kept;
}

function wholePixelIou(one: Row, other: Row): number {
  const [x, y, w, h] = [...one.subarray(0, 4)].map(Math.trunc) as [number, number, number, number];
  const [left, top, width, height] = [...other.subarray(0, 4)].map(Math.trunc) as [number, number, number, number];
  const across = Math.max(0, Math.min(x + w, left + width) - Math.max(x, left));
  const down = Math.max(0, Math.min(y + h, top + height) - Math.max(y, top));
  const union = w * h + width * height - across * down;
  return union > 0 ? (across * down) / union : 1;
}
