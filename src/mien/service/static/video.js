// A video file: the service reads it, the browser plays it, and the faces of each moment are drawn.

import { predictVideo } from "./api.js";

/** A video and its frames; `onPicture()` is called whenever another moment is shown. */
export class Video {
  frames = [];
  #moments = [];
  #closed = false;
  element = document.createElement("video");

  constructor(file, onPicture) {
    this.file = file;
    this.element.muted = this.element.playsInline = true;
    this.element.preload = "auto"; // or the first picture is not drawn before another one was
    this.element.src = URL.createObjectURL(file);
    this.element.ontimeupdate = onPicture;
    this.element.onseeked = this.element.onloadeddata = () => {
      onPicture();
      this.element.requestVideoFrameCallback?.(onPicture); // on a busy machine the picture before is still shown
    };
  }

  /** Read it; `onFrame(frame)` is called for each. Reading ends when the video is closed. */
  async read(onFrame) {
    for await (const frame of predictVideo(this.file)) {
      if (this.#closed) break;
      this.frames.push(frame);
      if (!frame.error) this.#moments.push(frame);
      onFrame(frame);
    }
  }

  /** Seconds that were read. */
  get seconds() {
    return this.#moments.at(-1)?.time ?? 0;
  }

  /** The frame of the moment that is shown; undefined while there is none. */
  get frame() {
    const { currentTime } = this.element;
    let [low, high] = [0, this.#moments.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#moments[middle].time <= currentTime + 0.001) low = middle;
      else high = middle - 1;
    }
    return this.#moments[low];
  }

  seek(seconds) {
    this.element.currentTime = seconds;
  }

  close() {
    this.#closed = true;
    this.element.pause();
    URL.revokeObjectURL(this.element.src);
  }
}
