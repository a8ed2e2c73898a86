// What differs between two texts: by lines, and within a changed line by words. Pure.

/** @typedef {{kind: "same"|"del"|"add", text: string}} Piece */

// Beyond this many cells the table would take a browser's breath: then the texts are
// one change as a whole.
const cells = 4_000_000;

/**
 * The shortest way from a to b, piece by piece.
 * @param {string[]} a @param {string[]} b
 * @returns {Piece[]}
 */
export function diff(a, b) {
  let head = 0, tail = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (/** @type {string} */ text) => ({ kind: /** @type {const} */ ("same"), text });
  return [...a.slice(0, head).map(same), ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)), ...a.slice(a.length - tail).map(same)];
}

/** @param {string[]} a @param {string[]} b @returns {Piece[]} */
function middle(a, b) {
  const gone = (/** @type {string} */ text) => ({ kind: /** @type {const} */ ("del"), text }), come = (/** @type {string} */ text) => ({ kind: /** @type {const} */ ("add"), text });
  if (a.length * b.length > cells || !a.length || !b.length) return [...a.map(gone), ...b.map(come)];
  const width = b.length + 1, best = new Uint32Array((a.length + 1) * width); // how much both have from here on
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) best[i * width + j] = a[i] === b[j] ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
  }
  /** @type {Piece[]} */
  const pieces = [];
  let i = 0, j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) { pieces.push({ kind: "same", text: a[i++] }); j++; }
    else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) pieces.push(gone(a[i++]));
    else pieces.push(come(b[j++]));
  }
  return [...pieces, ...a.slice(i).map(gone), ...b.slice(j).map(come)];
}

/** By lines. @param {string} a @param {string} b */
export const diffLines = (a, b) => diff(a ? a.split("\n") : [], b ? b.split("\n") : []);

/** By words, with the spaces between them; neighbours of one kind are one piece. @param {string} a @param {string} b @returns {Piece[]} */
export function diffWords(a, b) {
  const cut = (/** @type {string} */ text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
  /** @type {Piece[]} */
  const joined = [];
  for (const piece of diff(cut(a), cut(b))) {
    const last = joined[joined.length - 1];
    if (last?.kind === piece.kind) last.text += piece.text;
    else joined.push({ ...piece });
  }
  return joined;
}
