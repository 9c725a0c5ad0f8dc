import { load } from "mien-expressions";
import { useEffect, useState } from "react";

/** The newest frame of a playing <video>: its faces, followed and steadied. */
export function useExpressions(video) {
  const [frame, setFrame] = useState(null);
  useEffect(() => {
    if (!video) return undefined;
    let [mien, stopped] = [null, false];
    (async () => {
      mien = await load();
      const stream = await mien.stream({ live: true });
      while (!stopped) {
        await new Promise((shown) => video.requestVideoFrameCallback(shown));
        const next = stopped ? null : await stream.next(video);
        if (next) setFrame(next);
      }
      mien.close();
    })();
    return () => {
      stopped = true;
    };
  }, [video]);
  return frame;
}
