// Face alignment: a detected face is warped into the frame of FER2013's training faces (mien/faces/align.py).

import { clamp, MienError, roundHalfEven, type Pixels } from "./pixels.js";
import { resizeArea } from "./resize.js";

export type Point = readonly [number, number];
/** (x, y) of the target = [a -b; b a] (x, y) + (c, d), as OpenCV orders it: a, -b, c, b, a, d. */
type Matrix = readonly [number, number, number, number, number, number];

export const FACE_SIZE = 48;

/** Where eyes, nose tip and mouth corners sit in a FER2013 face: a copy of FRAME_LANDMARKS, which a test pins. */
export const FRAME_LANDMARKS: readonly Point[] = [[14.9, 18.4], [32.7, 18.5], [23.5, 28.5], [16.4, 35.9], [31.1, 36.1]];
const FITTED = [0, 1, 3, 4] as const;
const MAX_SUPERSAMPLING = 16;
const MAX_WARPED = 32_000;

// OpenCV's remap: positions in 1/32 pixel, computed with ten more bits, weights that sum to 2^15.
const POSITION_BITS = 5;
const POSITIONS = 1 << POSITION_BITS;
const MATRIX_BITS = 10;
const ROUND = 1 << (MATRIX_BITS - POSITION_BITS - 1);
const WEIGHT_BITS = 15;

/** The similarity (rotation, scale, shift) that maps points onto others by least squares (Umeyama, 1991). */
export function similarity(from: readonly Point[], to: readonly Point[]): Matrix {
  const mean = (points: readonly Point[], axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [fromX, fromY, toX, toY] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  let [real, imaginary, extent] = [0, 0, 0];
  from.forEach(([fx, fy], number) => {
    const [x, y, [u, v]] = [fx - fromX, fy - fromY, to[number]!];
    real += x * u + y * v;
    imaginary += x * v - y * u;
    extent += x * x + y * y;
  });
  const [a, b] = extent > 0 ? [real / extent, imaginary / extent] : [0, 0];
  if (!(Math.hypot(a, b) > 0)) throw new MienError("the landmarks of a face coincide: expected points apart from each other");
  return [a, -b, toX - (a * fromX - b * fromY), b, a, toY - (b * fromX + a * fromY)];
}

/** A face in FER2013's frame, `size` pixels wide and high; what lies beyond the image repeats its edge. */
export function alignFace(image: Pixels, landmarks: readonly Point[], size = FACE_SIZE): Pixels {
  const matrix = similarity(FITTED.map((number) => landmarks[number]!), FITTED.map((number) => FRAME_LANDMARKS[number]!));
  return warp(image, matrix.map((number) => (number * size) / FACE_SIZE) as unknown as Matrix, size);
}

/** A face larger than the frame is sampled on a finer grid first, and averaged; else it would alias. */
function warp(image: Pixels, matrix: Matrix, size: number): Pixels {
  const scale = Math.hypot(matrix[0], matrix[3]);
  const finer = clamp(Math.ceil(1 / scale - 1e-6), 1, MAX_SUPERSAMPLING);
  const [left, right, top, bottom] = seen(matrix, image, size);
  const [a, b, c, d, e, f] = matrix.map((number) => number * finer) as unknown as Matrix;
  // OpenCV numbers pixel centres with integers, the landmarks put them at halves.
  const grid: Matrix = [a, b, c + a * (left + 0.5) + b * (top + 0.5) - 0.5, d, e, f + d * (left + 0.5) + e * (top + 0.5) - 0.5];
  const fine = warpAffine(image, grid, size * finer, [left, right, top, bottom]);
  return finer > 1 ? resizeArea(fine, size, size) : fine;
}

/** Columns and rows of the image that the matrix brings into the frame. */
function seen([a, b, c, d, e, f]: Matrix, image: Pixels, size: number): [number, number, number, number] {
  const determinant = a * e - b * d;
  const corners = [[0, 0], [0, size], [size, 0], [size, size]].map(([u, v]) => [
    (e * (u! - c) - b * (v! - f)) / determinant,
    (a * (v! - f) - d * (u! - c)) / determinant,
  ]);
  const span = (axis: 0 | 1, length: number): [number, number] => {
    const places = corners.map((corner) => corner[axis]!);
    const start = clamp(Math.floor(Math.min(...places)) - 1, 0, length - 1);
    const stop = clamp(Math.ceil(Math.max(...places)) + 1, start + 1, length);
    return [start, Math.min(stop, start + MAX_WARPED)];
  };
  return [...span(0, image.width), ...span(1, image.height)];
}

/** OpenCV's warpAffine, INTER_LINEAR with edges repeated, of the window [left, right, top, bottom] of an image. */
function warpAffine(image: Pixels, matrix: Matrix, side: number, [left, right, top, bottom]: readonly number[]): Pixels {
  const [width, height] = [right! - left!, bottom! - top!];
  const { data, channels } = image;
  const colours = channels === 4 ? 3 : channels;
  const made = new Uint8Array(side * side * colours);
  const [a, b, c, d, e, f] = inverted(matrix);
  const unit = 1 << MATRIX_BITS;
  let at = 0;
  for (let y = 0; y < side; y++) {
    const startX = roundHalfEven((b * y + c) * unit) + ROUND;
    const startY = roundHalfEven((e * y + f) * unit) + ROUND;
    for (let x = 0; x < side; x++) {
      const placeX = (startX + roundHalfEven(a * x * unit)) >> (MATRIX_BITS - POSITION_BITS);
      const placeY = (startY + roundHalfEven(d * x * unit)) >> (MATRIX_BITS - POSITION_BITS);
      const [column, row] = [placeX >> POSITION_BITS, placeY >> POSITION_BITS];
      const [fx, fy] = [placeX & (POSITIONS - 1), placeY & (POSITIONS - 1)];
      const x0 = (left! + clamp(column, 0, width - 1)) * channels;
      const x1 = (left! + clamp(column + 1, 0, width - 1)) * channels;
      const upper = (top! + clamp(row, 0, height - 1)) * image.width * channels;
      const lower = (top! + clamp(row + 1, 0, height - 1)) * image.width * channels;
      for (let colour = 0; colour < colours; colour++, at++) {
        const sum =
          data[upper + x0 + colour]! * (POSITIONS - fx) * (POSITIONS - fy) +
          data[upper + x1 + colour]! * fx * (POSITIONS - fy) +
          data[lower + x0 + colour]! * (POSITIONS - fx) * fy +
          data[lower + x1 + colour]! * fx * fy;
        made[at] = (sum * (1 << (WEIGHT_BITS - 2 * POSITION_BITS)) + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS;
      }
    }
  }
  return { data: made, width: side, height: side, channels: colours };
}

function inverted([a, b, c, d, e, f]: Matrix): Matrix {
  const share = 1 / (a * e - b * d);
  const [ia, ib, id, ie] = [e * share, -b * share, -d * share, a * share];
  return [ia, ib, -ia * c - ib * f, id, ie, -id * c - ie * f];
}
