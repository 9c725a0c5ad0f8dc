// From a face crop to a network's input (mien/preprocess.py); every step gives what OpenCV gives with uint8.

import { MienError, roundHalfEven, toGray, toRgb, type Pixels } from "./pixels.js";
import { resizeArea, resizeLinear } from "./resize.js";

const fround = Math.fround;

/** How faces become a network's input; the fields are those of a model card. */
export interface PreprocessSpec {
  frame_size: number;
  input_size: number;
  mean: number;
  std: number;
  equalize: "none" | "histogram" | "clahe";
  blur: boolean;
  channels: 1 | 3;
  face_size: number;
}

const DEFAULTS = { equalize: "none", blur: false, channels: 1, face_size: 48 } as const;

/** The specification in a card, checked.
 *
 * @throws MienError: a field is missing or out of range.
 */
export function specOf(values: Partial<PreprocessSpec> | undefined): PreprocessSpec {
  const spec = { ...DEFAULTS, ...values } as PreprocessSpec;
  const sides = [spec.frame_size, spec.input_size, spec.face_size];
  const fits =
    sides.every((side) => Number.isInteger(side) && side >= 8 && side <= 1024) &&
    spec.input_size <= spec.frame_size &&
    spec.mean >= 0 && spec.mean <= 1 && spec.std > 0 && spec.std <= 1 &&
    spec.equalize in EQUALIZERS &&
    (spec.channels === 1 || (spec.channels === 3 && spec.equalize === "none"));
  if (!fits) throw new MienError(`its metadata: preprocess is ${JSON.stringify(values)}: expected what \`mien export\` writes`);
  return spec;
}

/** A face of any size as a frame: grey or in colour, resized, equalised, blurred. */
export function frameOf(face: Pixels, spec: PreprocessSpec): Pixels {
  const pixels = spec.channels === 1 ? toGray(face) : toRgb(face);
  const side = spec.frame_size;
  const resize = Math.min(pixels.width, pixels.height) > side ? resizeArea : resizeLinear;
  const frame = EQUALIZERS[spec.equalize](resize(pixels, side, side));
  return spec.blur ? blurred(frame) : frame;
}

/** The network's input of faces: float32 (N, channels, input_size, input_size). */
export function inputOf(faces: readonly Pixels[], spec: PreprocessSpec): Float32Array {
  const { input_size: side, channels } = spec;
  const [factor, shift] = [fround(1 / (255 * spec.std)), fround(spec.mean / spec.std)];
  const input = new Float32Array(faces.length * channels * side * side);
  let at = 0;
  for (const face of faces) {
    const frame = frameOf(face, spec);
    const offset = Math.floor((spec.frame_size - side) / 2);
    for (let channel = 0; channel < channels; channel++) {
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++, at++) {
          const level = frame.data[((y + offset) * spec.frame_size + x + offset) * channels + channel]!;
          input[at] = fround(level * factor) - shift;
        }
      }
    }
  }
  return input;
}

const EQUALIZERS: Record<PreprocessSpec["equalize"], (frame: Pixels) => Pixels> = {
  none: (frame) => frame,
  histogram: equalized,
  clahe,
};

/** OpenCV's equalizeHist. */
function equalized(frame: Pixels): Pixels {
  const counts = histogram(frame.data);
  const first = counts.findIndex((count) => count > 0);
  const rest = frame.data.length - counts[first]!;
  if (rest === 0) return frame;
  const scale = fround(255 / rest);
  const levels = new Uint8Array(256);
  for (let level = first + 1, sum = 0; level < 256; level++) {
    sum += counts[level]!;
    levels[level] = Math.min(255, roundHalfEven(fround(sum * scale)));
  }
  return { ...frame, data: Uint8Array.from(frame.data, (level) => levels[level]!) };
}

function histogram(levels: ArrayLike<number>): Int32Array {
  const counts = new Int32Array(256);
  for (let at = 0; at < levels.length; at++) counts[levels[at]!]!++;
  return counts;
}

const TILES = 4;
const CLIP = 2;

/** OpenCV's CLAHE in 4x4 tiles with a contrast limit of 2 (Zuiderveld, 1994). */
function clahe(frame: Pixels): Pixels {
  const { data, width, height } = frame;
  const whole = width % TILES === 0 && height % TILES === 0;
  const [tileWidth, tileHeight] = [width, height].map((side) => (whole ? side / TILES : (side + TILES - (side % TILES)) / TILES)) as [number, number];
  const tables = Array.from({ length: TILES * TILES }, (_, tile) => tileTable(frame, tileWidth, tileHeight, tile % TILES, Math.floor(tile / TILES)));
  const [acrosses, downs] = [places(width, tileWidth), places(height, tileHeight)];
  const made = new Uint8Array(data.length);
  for (let y = 0, at = 0; y < height; y++) {
    const [upper, lower, down] = downs[y]!;
    for (let x = 0; x < width; x++, at++) {
      const [left, right, across] = acrosses[x]!;
      const level = data[at]!;
      const mix = (row: number): number => fround(fround(tables[row * TILES + left]![level]! * fround(1 - across)) + fround(tables[row * TILES + right]![level]! * across));
      made[at] = roundHalfEven(fround(fround(mix(upper) * fround(1 - down)) + fround(mix(lower) * down)));
    }
  }
  return { ...frame, data: made };
}

/** The two tiles between which each pixel lies, and how near it is to the second. */
function places(length: number, tile: number): [number, number, number][] {
  return Array.from({ length }, (_, at) => {
    const place = fround(fround(at * fround(1 / tile)) - 0.5);
    const low = Math.floor(place);
    return [Math.max(low, 0), Math.min(low + 1, TILES - 1), fround(place - low)];
  });
}

/** New grey levels of one tile; pixels beyond the frame mirror it. */
function tileTable({ data, width, height }: Pixels, tileWidth: number, tileHeight: number, column: number, row: number): Uint8Array {
  const mirrored = (at: number, length: number): number => (at < length ? at : 2 * length - 2 - at);
  const levels: number[] = [];
  for (let y = row * tileHeight; y < (row + 1) * tileHeight; y++) {
    for (let x = column * tileWidth; x < (column + 1) * tileWidth; x++) levels.push(data[mirrored(y, height) * width + mirrored(x, width)]!);
  }
  const counts = histogram(levels);
  const limit = Math.max(1, Math.trunc((CLIP * levels.length) / 256));
  let clipped = 0;
  counts.forEach((count, level) => {
    clipped += Math.max(0, count - limit);
    counts[level] = Math.min(count, limit);
  });
  const share = Math.floor(clipped / 256);
  let left = clipped - 256 * share;
  const step = left ? Math.max(1, Math.floor(256 / left)) : 256;
  for (let level = 0; level < 256; level++) {
    counts[level]! += share;
    if (left > 0 && level % step === 0) {
      counts[level]!++;
      left--;
    }
  }
  const scale = fround(255 / levels.length);
  let sum = 0;
  return Uint8Array.from(counts, (count) => Math.min(255, roundHalfEven(fround((sum += count) * scale))));
}

/** OpenCV's GaussianBlur of 3x3 pixels: weights 1, 2, 1 in both directions, edges mirrored. */
function blurred(frame: Pixels): Pixels {
  const { data, width, height, channels } = frame;
  const mirrored = (at: number, length: number): number => (at < 0 ? -at : at < length ? at : 2 * length - 2 - at);
  const made = new Uint8Array(data.length);
  for (let y = 0, at = 0; y < height; y++) {
    const rows = [-1, 0, 0, 1].map((step) => mirrored(y + step, height) * width);
    for (let x = 0; x < width; x++) {
      const columns = [-1, 0, 0, 1].map((step) => mirrored(x + step, width));
      for (let channel = 0; channel < channels; channel++, at++) {
        let sum = 8;
        for (const row of rows) for (const column of columns) sum += data[(row + column) * channels + channel]!;
        made[at] = sum >> 4;
      }
    }
  }
  return { ...frame, data: made };
}
