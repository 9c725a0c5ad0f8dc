// The camera: opens it, hands out its pictures, and never has more than two of them on their way.

import { LiveStream } from "./api.js";
import { text } from "./i18n.js";

const ON_THEIR_WAY = 2;
const LONGEST_SIDE = 640;
const BEAT = 10_000;

/** A camera and the live stream that its pictures go to. */
export class Camera {
  #media;
  #stream;
  #canvas = document.createElement("canvas");
  #capturing = 0;
  #last = { picture: null, at: 0 };
  #beats = new Set();
  #timer;
  paused = false;
  video = document.createElement("video");

  /** Ask for the camera and connect; `onResult(frame, delay)`, `onEnd(reason, opened)`. */
  static async open({ onResult, onEnd }) {
    if (!navigator.mediaDevices) throw new Error(text("insecure"));
    const camera = new Camera();
    const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
    camera.#media = await navigator.mediaDevices.getUserMedia({ video: wanted });
    camera.video.muted = camera.video.playsInline = true;
    camera.video.srcObject = camera.#media;
    await camera.video.play();
    const scale = Math.min(1, LONGEST_SIDE / Math.max(camera.video.videoWidth, camera.video.videoHeight));
    camera.#canvas.width = Math.round(camera.video.videoWidth * scale);
    camera.#canvas.height = Math.round(camera.video.videoHeight * scale);
    camera.#stream = new LiveStream({
      onReady: () => camera.#fill(),
      onResult: (frame, sentAt) => {
        if (!camera.#beats.delete(frame.index)) onResult(frame, performance.now() - sentAt);
        camera.#fill();
      },
      onEnd,
    });
    camera.#timer = setInterval(() => camera.#beat(), BEAT / 2);
    return camera;
  }

  get width() {
    return this.#canvas.width;
  }

  get height() {
    return this.#canvas.height;
  }

  /** Call once, when the camera shows its next picture. */
  onPicture(action) {
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(action);
    else requestAnimationFrame(action);
  }

  resume() {
    this.paused = false;
    this.video.play();
    this.#fill();
  }

  pause() {
    this.paused = true;
    this.video.pause();
  }

  close() {
    clearInterval(this.#timer);
    this.#stream.close();
    for (const track of this.#media.getTracks()) track.stop();
  }

  /** Send pictures until enough are on their way. */
  #fill() {
    while (!this.paused && this.#stream.waiting + this.#capturing < ON_THEIR_WAY) {
      this.#capturing += 1;
      this.#nextPicture().then((picture) => {
        this.#capturing -= 1;
        if (!this.paused) this.#send(picture);
      });
    }
  }

  #send(picture) {
    this.#last = { picture, at: performance.now() };
    return this.#stream.send(picture);
  }

  /** While paused, or while the page is out of sight, send the last picture again: the server ends silent streams. */
  #beat() {
    if (this.#last.picture && performance.now() - this.#last.at >= BEAT) this.#beats.add(this.#send(this.#last.picture));
  }

  /** The next picture that the camera shows, each once. */
  async #nextPicture() {
    await new Promise((shown) => this.onPicture(shown));
    this.#canvas.getContext("2d").drawImage(this.video, 0, 0, this.#canvas.width, this.#canvas.height);
    return this.#stream.encoded(this.#canvas);
  }
}
