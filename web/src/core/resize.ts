// Resizing as OpenCV does it with uint8: INTER_AREA where both sides shrink, INTER_LINEAR in fixed point. Networks were
// trained on what OpenCV made, and a crop that differs by one grey level can move a probability by 0.03.

import { clamp, roundHalfEven, type Pixels } from "./pixels.js";

const fround = Math.fround;
const LINEAR_BITS = 11;

interface Table {
  readonly target: Int32Array;
  readonly source: Int32Array;
  readonly weight: Float32Array;
}

/** OpenCV's INTER_AREA: every pixel of the target is the mean of the source's area that it covers. */
export function resizeArea(image: Pixels, width: number, height: number): Pixels {
  if (width === image.width && height === image.height) return image;
  const [across, down] = [image.width / width, image.height / height];
  if (across < 1 || down < 1) throw new RangeError("resizeArea only shrinks");
  return Number.isInteger(across) && Number.isInteger(down)
    ? meanOfBlocks(image, width, height, across, down)
    : weightedArea(image, width, height);
}

function meanOfBlocks(image: Pixels, width: number, height: number, across: number, down: number): Pixels {
  const { data, channels } = image;
  const colours = channels === 4 ? 3 : channels;
  const made = new Uint8Array(width * height * colours);
  const stride = image.width * channels;
  const share = fround(1 / (across * down));
  const halves = across === 2 && down === 2;
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const first = y * down * stride + x * across * channels;
      for (let colour = 0; colour < colours; colour++, at++) {
        if (halves) {
          const from = first + colour;
          made[at] = (data[from]! + data[from + channels]! + data[from + stride]! + data[from + stride + channels]! + 2) >> 2;
          continue;
        }
        let sum = 0;
        for (let row = 0, start = first + colour; row < down; row++, start += stride) {
          for (let column = 0, from = start; column < across; column++, from += channels) sum += data[from]!;
        }
        made[at] = roundHalfEven(fround(sum * share));
      }
    }
  }
  return { data: made, width, height, channels: colours };
}

function weightedArea(image: Pixels, width: number, height: number): Pixels {
  const { data, channels } = image;
  const colours = channels === 4 ? 3 : channels;
  const columns = areaTable(image.width, width);
  const rows = areaTable(image.height, height);
  const made = new Uint8Array(width * height * colours);
  const [line, sum] = [new Float32Array(width * colours), new Float32Array(width * colours)];
  let current = rows.target[0]!;
  const finish = (): void => {
    const start = current * sum.length;
    for (let at = 0; at < sum.length; at++) made[start + at] = clamp(roundHalfEven(sum[at]!), 0, 255);
    sum.fill(0);
  };
  for (let entry = 0; entry < rows.target.length; entry++) {
    line.fill(0);
    sumAcross(data, rows.source[entry]! * image.width * channels, channels, columns, line, colours);
    if (rows.target[entry] !== current) {
      finish();
      current = rows.target[entry]!;
    }
    const weight = rows.weight[entry]!;
    for (let at = 0; at < sum.length; at++) sum[at] = sum[at]! + fround(weight * line[at]!);
  }
  finish();
  return { data: made, width, height, channels: colours };
}

/** Add the weighted pixels of one row of the source to a row of the target's width. */
function sumAcross(data: Pixels["data"], start: number, channels: number, columns: Table, line: Float32Array, colours: number): void {
  const { target, source, weight } = columns;
  for (let entry = 0; entry < target.length; entry++) {
    const from = start + source[entry]! * channels;
    const into = target[entry]! * colours;
    const share = weight[entry]!;
    line[into] = line[into]! + fround(data[from]! * share);
    if (colours === 1) continue;
    line[into + 1] = line[into + 1]! + fround(data[from + 1]! * share);
    line[into + 2] = line[into + 2]! + fround(data[from + 2]! * share);
  }
}

/** Which source pixels make a target pixel, and how much of each: OpenCV's computeResizeAreaTab. */
function areaTable(length: number, made: number): Table {
  const scale = 1 / (made / length);
  const [target, source, weight]: number[][] = [[], [], []];
  const add = (into: number, from: number, share: number): void => {
    target!.push(into);
    source!.push(from);
    weight!.push(share);
  };
  for (let into = 0; into < made; into++) {
    const low = into * scale;
    const high = low + scale;
    const cell = Math.min(scale, length - low);
    const last = Math.min(Math.floor(high), length - 1);
    const first = Math.min(Math.ceil(low), last);
    if (first - low > 1e-3) add(into, first - 1, (first - low) / cell);
    for (let from = first; from < last; from++) add(into, from, 1 / cell);
    if (high - last > 1e-3) add(into, last, Math.min(high - last, 1, cell) / cell);
  }
  return { target: Int32Array.from(target!), source: Int32Array.from(source!), weight: Float32Array.from(weight!) };
}

/** OpenCV's INTER_LINEAR: weights of 11 bits, pixel centres at halves, edges repeated. */
export function resizeLinear(image: Pixels, width: number, height: number): Pixels {
  if (width === image.width && height === image.height) return image;
  const { data, channels } = image;
  const columns = linearTable(image.width, width, true);
  const rows = linearTable(image.height, height, false);
  const made = new Uint8Array(width * height * channels);
  const across = (row: number, x: number, colour: number): number => {
    const start = row * image.width * channels + colour;
    const [first, second] = [columns.low[x]! * channels, columns.high[x]! * channels];
    return data[start + first]! * columns.first[x]! + data[start + second]! * columns.second[x]!;
  };
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let colour = 0; colour < channels; colour++, at++) {
        const upper = (rows.first[y]! * (across(rows.low[y]!, x, colour) >> 4)) >> 16;
        const lower = (rows.second[y]! * (across(rows.high[y]!, x, colour) >> 4)) >> 16;
        made[at] = clamp((upper + lower + 2) >> 2, 0, 255);
      }
    }
  }
  return { data: made, width, height, channels };
}

/** The two source pixels of each target pixel and their weights. Beyond an edge OpenCV takes one pixel of a row whole,
 * but two equal rows in their shares, which rounds otherwise. */
function linearTable(length: number, made: number, wholeAtEdges: boolean) {
  const scale = 1 / (made / length);
  const [low, high, first, second] = [0, 0, 0, 0].map(() => new Int32Array(made)) as [Int32Array, Int32Array, Int32Array, Int32Array];
  for (let into = 0; into < made; into++) {
    let place = fround((into + 0.5) * scale - 0.5);
    const from = Math.floor(place);
    place = fround(place - from);
    if (wholeAtEdges && (from < 0 || from >= length - 1)) place = 0;
    low[into] = clamp(from, 0, length - 1);
    high[into] = clamp(wholeAtEdges ? low[into]! + 1 : from + 1, 0, length - 1);
    first[into] = roundHalfEven(fround(fround(1 - place) * 2 ** LINEAR_BITS));
    second[into] = roundHalfEven(fround(place * 2 ** LINEAR_BITS));
  }
  return { low, high, first, second };
}

/** An image made smaller, by area, where its longer side exceeds a number of pixels. */
export function shrink(image: Pixels, longest: number): Pixels {
  const longer = Math.max(image.width, image.height);
  if (longer <= longest) return image;
  const scale = longest / longer;
  const side = (length: number): number => Math.max(1, roundHalfEven(length * scale));
  return resizeArea(image, side(image.width), side(image.height));
}
