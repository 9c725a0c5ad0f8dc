/** Pixels: grey (1 channel), RGB (3) or RGBA (4) levels 0..255, row by row from the top left. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

/** Something that is wrong with what came in; the message says what was expected. */
export class MienError extends Error {
  override name = "MienError";
}

/** The pixels of an `ImageData` or of anything else with RGBA levels.
 *
 * @throws MienError: the sizes do not fit.
 */
export function pixelsOf(image: { data: Uint8Array | Uint8ClampedArray; width: number; height: number; channels?: number }): Pixels {
  const { data, width, height } = image;
  const channels = image.channels ?? 4;
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!whole || ![1, 3, 4].includes(channels) || data?.length !== width * height * channels) {
    throw new MienError(`pixels ${width}x${height} in ${channels} channels with ${data?.length} levels: expected width * height * channels levels, channels 1, 3 or 4`);
  }
  return { data, width, height, channels: channels as Pixels["channels"] };
}

/** Grey levels by ITU-R BT.601's luma in OpenCV's fixed point: (9798 R + 19235 G + 3735 B + 16384) >> 15. */
export function toGray(image: Pixels): Pixels {
  if (image.channels === 1) return image;
  const { data, width, height, channels } = image;
  const grey = new Uint8Array(width * height);
  for (let at = 0, from = 0; at < grey.length; at++, from += channels) {
    grey[at] = (9798 * data[from]! + 19235 * data[from + 1]! + 3735 * data[from + 2]! + 16384) >> 15;
  }
  return { data: grey, width, height, channels: 1 };
}

/** RGB levels of any pixels; alpha is left out. */
export function toRgb(image: Pixels): Pixels {
  if (image.channels === 3) return image;
  const { data, width, height, channels } = image;
  const colours = new Uint8Array(3 * width * height);
  const step = channels === 1 ? 0 : 1;
  for (let at = 0, from = 0; at < colours.length; at += 3, from += channels) {
    colours[at] = data[from]!;
    colours[at + 1] = data[from + step]!;
    colours[at + 2] = data[from + 2 * step]!;
  }
  return { data: colours, width, height, channels: 3 };
}

/** Rows `top..bottom` and columns `left..right` (ends excluded), copied. */
export function part(image: Pixels, left: number, top: number, right: number, bottom: number): Pixels {
  const { width, channels } = image;
  if (left === 0 && top === 0 && right === width && bottom === image.height) return image;
  const row = (right - left) * channels;
  const data = new Uint8Array(row * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = (y * width + left) * channels;
    data.set(image.data.subarray(from, from + row), (y - top) * row);
  }
  return { data, width: right - left, height: bottom - top, channels };
}

/** The nearest whole number; of two the even one, as Python and OpenCV round. */
export function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

export const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));
