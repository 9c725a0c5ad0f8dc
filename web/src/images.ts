// From what a page has to pixels, in a worker or a page: never altered by colour management, alpha on white.

import { MienError, pixelsOf, type Pixels } from "./core/index.js";

/** What `recognize` takes in browsers; in Node only pixels. */
export type Image = Blob | ImageBitmap | ImageData | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | HTMLVideoElement | VideoFrame | { data: Uint8Array | Uint8ClampedArray; width: number; height: number; channels?: number };

/** How truly pixels can be read: `exact`; `copied`: exact by way of a video frame, since this browser alters canvases;
 * `altered`: this browser alters them, and probabilities may be off by some hundredths. */
export type Fidelity = "exact" | "copied" | "altered";

/** Milliseconds that a video which says that it has a picture gets to show it, and between two questions. */
const VIDEO_PATIENCE = 5000;
const VIDEO_PAUSE = 10;

/** Decode or copy an image so that it can be handed to a worker.
 *
 * @throws MienError: it cannot be decoded.
 */
export async function portable(image: Image): Promise<ImageBitmap | Pixels> {
  if ("data" in image && "width" in image) return pixelsOf(image as ImageData);
  if (typeof ImageBitmap !== "undefined" && image instanceof ImageBitmap) return image;
  try {
    // 'none': a colour profile would move the levels that the network was trained on.
    return await copyOf(image as ImageBitmapSource, { colorSpaceConversion: "none" });
  } catch (error) {
    throw new MienError(`the image cannot be read (${(error as Error).message})`);
  }
}

/** A bitmap of an image. A busy Chromium says `loadeddata` before the first picture can be had (its issue 1242760). */
async function copyOf(image: ImageBitmapSource, options: ImageBitmapOptions): Promise<ImageBitmap> {
  const end = performance.now() + VIDEO_PATIENCE;
  for (;;) {
    try {
      return await createImageBitmap(image, options);
    } catch (error) {
      if (!hasPicture(image) || performance.now() > end) throw error;
    }
    await new Promise((done) => setTimeout(done, VIDEO_PAUSE));
  }
}

/** Whether an image is a video that says it has a picture of now. */
function hasPicture(image: ImageBitmapSource): boolean {
  return typeof HTMLVideoElement !== "undefined" && image instanceof HTMLVideoElement && image.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
}

const freshPen = () => new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true })!;

/** Reads pixels out of bitmaps, on one canvas. */
export class PixelReader {
  #pen = freshPen();

  private constructor(readonly fidelity: Fidelity) {}

  /** A reader, after a self-test on a known image. */
  static async tested(): Promise<PixelReader> {
    for (const fidelity of ["exact", "copied"] as const) {
      const reader = new PixelReader(fidelity);
      if (await reader.#isExact()) return reader;
    }
    return new PixelReader("altered");
  }

  /** The pixels of a bitmap, which is closed. */
  async read(image: ImageBitmap | Pixels): Promise<Pixels> {
    if ("data" in image) return image;
    try {
      return this.fidelity === "copied" ? await this.#copied(image) : this.#drawn(image);
    } finally {
      image.close();
    }
  }

  #drawn(image: ImageBitmap): Pixels {
    const { width, height } = image;
    this.#draw(image);
    const { data } = this.#pen.getImageData(0, 0, width, height);
    // A canvas beyond what a browser allows stays empty, and would look like a picture without faces.
    if (data[data.length - 1] !== 255) {
      this.#pen = freshPen(); // the old one would stay empty at the next image, too
      throw new MienError(`the image has ${width}x${height} pixels: more than this browser draws; make it smaller`);
    }
    return { data, width, height, channels: 4 };
  }

  #draw(image: ImageBitmap): void {
    const { width, height } = image;
    const { canvas } = this.#pen;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    this.#pen.fillStyle = "#fff";
    this.#pen.fillRect(0, 0, width, height);
    this.#pen.drawImage(image, 0, 0);
  }

  async #copied(image: ImageBitmap): Promise<Pixels> {
    this.#draw(image);
    const { width, height } = image;
    const frame = new VideoFrame(this.#pen.canvas, { timestamp: 0 });
    try {
      const data = new Uint8Array(4 * width * height);
      await frame.copyTo(data, { format: "RGBA" } as VideoFrameCopyToOptions);
      return { data, width, height, channels: 4 };
    } finally {
      frame.close();
    }
  }

  /** Whether a known image comes back as it was: noise against fingerprinting, or colour management, would show. */
  async #isExact(): Promise<boolean> {
    const side = 64;
    const known = new ImageData(side, side);
    known.data.forEach((_, at) => (known.data[at] = at % 4 === 3 ? 255 : (at * 37 + (at >> 4) * 11) % 256));
    try {
      const { data } = await this.read(await createImageBitmap(known, { colorSpaceConversion: "none" }));
      return known.data.every((level, at) => level === data[at]);
    } catch {
      return false;
    }
  }
}
