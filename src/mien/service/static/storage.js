// What the browser remembers for this page: where the reader forbids it to, until the page is left.

/** `localStorage` or `sessionStorage`, by name, or what stands in for it. */
export function storage(name) {
  try {
    return window[name];
  } catch {
    const values = new Map();
    return { getItem: (key) => values.get(key) ?? null, setItem: (key, value) => values.set(key, value) };
  }
}
