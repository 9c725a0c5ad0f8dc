// The worker that owns sessions and canvases. Imported, it offers the engine to its own thread.

import { EngineHost } from "./engine_host.js";
import { MienError } from "./core/index.js";
import type { Answer, Request } from "./protocol.js";

export { EngineHost };

/** The name under which `load` starts it. */
export const NAME = "mien-engine";

const scope = globalThis as unknown as { name?: string; document?: unknown; postMessage(answer: Answer): void; onmessage: ((event: { data: Request }) => void) | null };

if (scope.name === NAME && !scope.document) {
  const host = new EngineHost();
  scope.onmessage = async ({ data: { id, call, values } }) => {
    try {
      const value = await (host[call] as (...values: unknown[]) => Promise<unknown>).apply(host, values);
      scope.postMessage({ id, value });
    } catch (error) {
      scope.postMessage({ id, error: (error as Error).message, known: error instanceof MienError });
    }
  };
}
