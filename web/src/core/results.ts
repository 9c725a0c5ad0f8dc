// Results in the schema of mien (mien/results.py).

import { roundHalfEven } from "./pixels.js";
import type { Point } from "./align.js";

export const SCHEMA = 2;
const DIGITS = 1e6;

/** x, y, width and height in pixels, origin top left. */
export type Rectangle = readonly [number, number, number, number];

/** A face that a detector found; its box may reach beyond the image. */
export interface Detection {
  readonly box: Rectangle;
  readonly score: number;
  readonly landmarks: readonly Point[];
}

/** How good a face is to read. */
export interface Quality {
  /** Height of its box in pixels. */
  face_size: number;
  /** Variance of the Laplacian at 48x48 pixels. */
  sharpness: number;
  /** Mean grey level, 0..255. */
  brightness: number;
  /** Degrees by which the head is turned to the right side of the picture, raised, tilted clockwise. */
  yaw: number | null;
  pitch: number | null;
  roll: number | null;
}

export interface Face extends Quality {
  /** Number in the frame, from 0, largest first. */
  face: number;
  /** x, y, width, height in whole pixels, inside the image. */
  box: [number, number, number, number];
  /** The detector's score that this is a face, 0..1. */
  confidence: number;
  /** Name of the expression: the one that holds over time in a stream, else the likeliest. */
  emotion: string;
  /** Its calibrated probability, 0..1. */
  probability: number;
  /** Whether the probability is as high as was asked for. */
  certain: boolean;
  /** Calibrated probabilities by name, in the model's order, sum 1. */
  probabilities: Record<string, number>;
  /** Left eye, right eye, nose tip, left and right mouth corner, as seen in the image. */
  landmarks: [number, number][];
  /** Number of the person in a stream, from 1; null in pictures. */
  track: number | null;
}

/** One picture, or one frame of a stream, and its faces. */
export interface Frame {
  schema: typeof SCHEMA;
  source: string;
  index: number;
  /** Seconds from the start of the stream; null for pictures. */
  time: number | null;
  width: number;
  height: number;
  faces: Face[];
  error: string | null;
}

/** The part of a rectangle inside an image, in whole pixels; null when nothing is. */
export function inside([x, y, width, height]: Rectangle, imageWidth: number, imageHeight: number): [number, number, number, number] | null {
  const [left, top] = [Math.max(0, roundHalfEven(x)), Math.max(0, roundHalfEven(y))];
  const right = Math.min(imageWidth, roundHalfEven(x + width));
  const bottom = Math.min(imageHeight, roundHalfEven(y + height));
  return right > left && bottom > top ? [left, top, right - left, bottom - top] : null;
}

/** Probabilities with six digits: further ones differ between machines. */
export const rounded = (probability: number): number => Math.round(probability * DIGITS) / DIGITS;
