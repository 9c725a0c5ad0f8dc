// The model card: labels, preprocessing, temperature. onnxruntime-web does not show a file's metadata, so the card comes
// as JSON beside the file, or is read out of the file here.

import { MienError } from "./pixels.js";
import { specOf, type PreprocessSpec } from "./preprocess.js";

const METADATA_KEY = "mien";
const FORMAT_VERSION = 1;

/** Inputs and outputs of a network, as mien/model/foreign.py describes those of other tools. */
export interface Interface {
  /** For each channel, what mien's input is multiplied by, and what is added to it then. */
  gain: number[];
  shift: number[];
  layout: "nchw" | "nhwc";
  outputs: "logits" | "probabilities";
  /** Which output each label is. */
  columns: number[];
  /** How many outputs there are. */
  width: number;
  /** Faces of one run, where the file fixes them. */
  batch?: number | null;
}

export interface Card {
  name: string;
  /** SHA-256 of the model file, lower-case hexadecimal. */
  sha256: string;
  labels: string[];
  temperature: number;
  preprocess: PreprocessSpec;
  interface: Interface;
  /** Colours of the labels, by name. */
  colours?: Record<string, string>;
  licence?: string;
  /** Version of mien that wrote the card. */
  mien?: string;
}

/** A card in the JSON that `mien web` wrote.
 *
 * @throws MienError: it is malformed.
 */
export function cardOf(values: Record<string, unknown>, sha256: string): Card {
  const card = values as unknown as Card & { format?: number };
  const { labels, temperature } = card;
  if (card.format !== FORMAT_VERSION) throw new MienError(`its metadata: format is ${card.format}: expected ${FORMAT_VERSION}; export it with this version of mien`);
  const named = Array.isArray(labels) && labels.length >= 2 && labels.every((label) => typeof label === "string" && label) && new Set(labels).size === labels.length;
  if (!named) throw new MienError(`its metadata: labels are ${JSON.stringify(labels)}: expected two or more distinct names`);
  if (!(temperature > 0 && Number.isFinite(temperature))) throw new MienError(`its metadata: temperature is ${temperature}: expected more than 0, finite`);
  if (card.sha256 && card.sha256 !== sha256) throw new MienError(`the model and its card do not belong together (SHA-256 ${sha256.slice(0, 8)}… and ${card.sha256.slice(0, 8)}…): write the folder again with \`mien web\``);
  const preprocess = specOf(card.preprocess);
  const plain = { gain: Array(preprocess.channels).fill(1), shift: Array(preprocess.channels).fill(0), layout: "nchw", outputs: "logits", columns: labels.map((_, index) => index), width: labels.length } as Interface;
  return { ...card, sha256, preprocess, interface: card.interface ?? plain };
}

/** The card inside a model file that `mien export` wrote.
 *
 * @throws MienError: not an ONNX file, or without mien's metadata.
 */
export function cardInside(file: Uint8Array): Record<string, unknown> {
  const text = metadata(file).get(METADATA_KEY);
  if (text === undefined) throw new MienError("an ONNX file without mien's metadata (labels, preprocessing, temperature): export it with `mien export`");
  try {
    return JSON.parse(text);
  } catch {
    throw new MienError("its metadata is no JSON: export it again with `mien export`");
  }
}

const METADATA_FIELD = 14; // ModelProto.metadata_props, of pairs: key = 1, value = 2
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

/** The pairs of a file's custom metadata. */
function metadata(file: Uint8Array): Map<string, string> {
  const decoder = new TextDecoder();
  const pairs = fields(file).filter(([number]) => number === METADATA_FIELD);
  return new Map(
    pairs.map(([, content]) => {
      const words = new Map(fields(content).map(([number, bytes]) => [number, decoder.decode(bytes)]));
      return [words.get(1) ?? "", words.get(2) ?? ""];
    }),
  );
}

/** The fields of a protobuf message that hold bytes: number and content. */
function fields(message: Uint8Array): [number, Uint8Array][] {
  const found: [number, Uint8Array][] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined || scale > 2 ** 56) throw new MienError("not an ONNX file");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === BYTES) {
      const length = varint();
      if (at + length > message.length) throw new MienError("not an ONNX file, or one that ends early");
      found.push([Math.floor(tag / 8), message.subarray(at, at + length)]);
      at += length;
    } else if (kind === VARINT) varint();
    else if (kind === FIXED64) at += 8;
    else if (kind === FIXED32) at += 4;
    else throw new MienError("not an ONNX file");
  }
  return found;
}
