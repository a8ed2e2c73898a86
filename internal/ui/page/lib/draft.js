// What somebody writes while what was there before is on its way to the server. Pure.

/** Two texts of which neither is lost. @param {string} first @param {string} then */
export const joined = (first, then) => [first, then].filter(Boolean).join("\n\n");

/**
 * What was typed while a form was saved, upon what was saved, field by field: it is in no
 * answer, and must not go with it.
 * @template {Record<string, any>} T
 * @param {T} sent @param {T} now @param {T} saved
 * @returns {T}
 */
export function typedSince(sent, now, saved) {
  const typed = Object.entries(now).filter(([name, is]) => JSON.stringify(is) !== JSON.stringify(sent[name]));
  return { ...saved, ...Object.fromEntries(typed) };
}
