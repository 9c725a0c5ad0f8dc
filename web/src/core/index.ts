// The core: pixels in, faces out, without DOM; onnxruntime is handed in.

export { alignFace, FRAME_LANDMARKS, similarity } from "./align.js";
export { cardInside, cardOf, type Card } from "./card.js";
export { YuNetDetector } from "./detector.js";
export { checked, Engine, Stream, type Options, type Parts, type StreamOptions } from "./engine.js";
export { Follower } from "./follow.js";
export { Model, softmax } from "./model.js";
export { MienError, pixelsOf, toGray, type Pixels } from "./pixels.js";
export { frameOf, inputOf, specOf } from "./preprocess.js";
export { resizeArea, resizeLinear, shrink } from "./resize.js";
export type { Face, Frame } from "./results.js";
export type { Runtime } from "./runtime.js";
export { sha256 } from "./sha256.js";
export { Smoother, SMOOTHINGS, type SmoothingName } from "./smoothing.js";
export { advance, assign } from "./track.js";
export { YuNet } from "./yunet.js";
