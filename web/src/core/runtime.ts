// What the core needs of onnxruntime-web or onnxruntime-node; callers hand the module in.

export interface Tensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}

export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release?(): Promise<void>;
}

/** The parts of the `ort` module that are used. */
export interface Runtime {
  Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => Tensor;
  InferenceSession: { create(model: Uint8Array, options?: object): Promise<Session> };
}

/** Open a network; `providers` as onnxruntime calls them. */
export function openSession(ort: Runtime, model: Uint8Array, providers?: readonly string[]): Promise<Session> {
  // 3: errors only. YuNet's sizes are changed, and onnxruntime would say so at every run.
  return ort.InferenceSession.create(model, { logSeverityLevel: 3, ...(providers && { executionProviders: providers }) });
}
