// How good a face is to read: size, sharpness, brightness, pose (mien/faces/quality.py).

import { FACE_SIZE, FRAME_LANDMARKS, type Point } from "./align.js";
import { toGray, type Pixels } from "./pixels.js";
import { resizeArea, resizeLinear } from "./resize.js";
import type { Detection, Quality } from "./results.js";

/** How far the model's points lie behind the eyes: a copy of mien/faces/quality.py, which the parity tests pin. */
const DEPTHS = [0, 0, -10.5, -1.3, -1.3];
const MIRRORED = [1, 0, 2, 4, 3];

const dot = (one: readonly number[], other: readonly number[]): number => one.reduce((sum, value, at) => sum + value * other[at]!, 0);
const oneDigit = (value: number): number => Math.round(10 * value) / 10;
const degrees = (radians: number): number => (180 * radians) / Math.PI;

/** What landmarks are multiplied by for the affine map from the model: the pseudoinverse, 3 rows of 5 numbers. */
const INVERSE = pseudoinverse(
  FRAME_LANDMARKS.map(([x, y], number) => {
    const [u, v] = FRAME_LANDMARKS[MIRRORED[number]!]!;
    return [(x - u) / 2, (y + v) / 2, DEPTHS[number]!];
  }),
);

/** The pseudoinverse of points (N, 3) about their mean. */
function pseudoinverse(points: number[][]): number[][] {
  const mean = [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + point[axis]!, 0) / points.length);
  const centred = points.map((point) => point.map((value, axis) => value - mean[axis]!));
  const [[a, b, c], [, e, f], [, , i]] = [0, 1, 2].map((row) => [0, 1, 2].map((column) => centred.reduce((sum, point) => sum + point[row]! * point[column]!, 0))) as [[number, number, number], [number, number, number], [number, number, number]];
  const adjugate = [
    [e * i - f * f, c * f - b * i, b * f - c * e],
    [c * f - b * i, a * i - c * c, b * c - a * f],
    [b * f - c * e, b * c - a * f, a * e - b * b],
  ];
  const determinant = a * adjugate[0]![0]! + b * adjugate[1]![0]! + c * adjugate[2]![0]!;
  return adjugate.map((row) => centred.map((point) => dot(row, point) / determinant));
}

/** The quality of a face that was found and cut out; `height` is that of its box in whole pixels. */
export function qualityOf(height: number, { landmarks }: Detection, crop: Pixels): Quality {
  const grey = toGray(crop);
  const resize = grey.width > FACE_SIZE ? resizeArea : resizeLinear;
  const { data } = resize(grey, FACE_SIZE, FACE_SIZE);
  const edges: number[] = [];
  for (let y = 1; y < FACE_SIZE - 1; y++) {
    for (let at = y * FACE_SIZE + 1; at < (y + 1) * FACE_SIZE - 1; at++) {
      edges.push(data[at - 1]! + data[at + 1]! + data[at - FACE_SIZE]! + data[at + FACE_SIZE]! - 4 * data[at]!);
    }
  }
  const mean = edges.reduce((sum, edge) => sum + edge, 0) / edges.length;
  const sharpness = edges.reduce((sum, edge) => sum + (edge - mean) ** 2, 0) / edges.length;
  let brightness = 0;
  for (const level of data) brightness += level / data.length;
  const [yaw, pitch, roll] = poseOf(landmarks)?.map(oneDigit) ?? [null, null, null];
  return { face_size: height, sharpness: oneDigit(sharpness), brightness: oneDigit(brightness), yaw: yaw!, pitch: pitch!, roll: roll! };
}

/** Yaw, pitch and roll in degrees; null when the landmarks coincide. */
export function poseOf(landmarks: readonly Point[]): [number, number, number] | null {
  const [across, down] = ([0, 1] as const).map((axis) => INVERSE.map((row) => dot(row, landmarks.map((point) => point[axis])))) as [number[], number[]];
  const [first, mixed, second] = [dot(across, across), dot(across, down), dot(down, down)];
  const determinant = first * second - mixed * mixed;
  if (!(determinant > 1e-12 * (first + second) ** 2)) return null;
  const root = Math.sqrt(determinant);
  const scale = Math.sqrt(first + second + 2 * root) / (determinant + root * (first + second) + determinant);
  const mixedRows = (a: number, b: number): number[] => across.map((x, at) => scale * (a * x + b * down[at]!));
  const [rightX, rightY, rightZ] = mixedRows(second + root, -mixed) as [number, number, number];
  const [downX, downY, downZ] = mixedRows(-mixed, first + root) as [number, number, number];
  const away = rightX * downY - rightY * downX;
  const yaw = Math.asin(Math.max(-1, Math.min(1, rightY * downZ - rightZ * downY)));
  const pitch = -Math.atan2(rightZ * downX - rightX * downZ, away);
  return [degrees(yaw), degrees(pitch), degrees(Math.atan2(downX, rightX))];
}
