// Numbers exactly as the server sent them. JSON.parse rounds 12345678901234567890.50;
// nobody shall approve a rounded amount.

/** A number of a JSON text, as it was written. */
export class Exact {
  /** @param {string} source */
  constructor(source) {
    this.source = source;
  }
  toString() {
    return this.source;
  }
  /** What JSON.stringify writes: the same digits, where the browser can. */
  toJSON() {
    const raw = /** @type {any} */ (JSON).rawJSON;
    return raw ? raw(this.source) : Number(this.source);
  }
}

/**
 * Parses JSON with every number as Exact, if the browser tells how it was written.
 * @param {string} text
 * @returns {any}
 */
export function parseExact(text) {
  /** @type {(this: any, key: string, value: any, context?: {source?: string}) => any} */
  const revive = (_, value, context) => (typeof value === "number" && context?.source !== undefined ? new Exact(context.source) : value);
  return JSON.parse(text, /** @type {any} */ (revive));
}

/**
 * Writes a value as JSON over several lines, numbers exactly, characters as they are.
 * @param {any} value
 * @param {string} [indent]
 * @returns {string}
 */
export function json(value, indent = "") {
  if (value instanceof Exact) return value.source;
  if (value === null || value === undefined || typeof value !== "object") return JSON.stringify(value ?? null);
  const deeper = indent + "  ";
  const inner = Array.isArray(value)
    ? value.map((one) => deeper + json(one, deeper))
    : Object.entries(value).map(([name, one]) => deeper + JSON.stringify(name) + ": " + json(one, deeper));
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return inner.length ? open + "\n" + inner.join(",\n") + "\n" + indent + close : open + close;
}
