// What was decided a moment ago, by whomever: the row says who and stays a while, so
// that nothing vanishes under somebody's eyes.
import { useEffect, useRef, useState } from "../lib/html.js";
import { get } from "../lib/api.js";

/** @typedef {import("../lib/inbox.js").Approval} Approval */
/** @typedef {{item: Approval, s: string, text: string, who: string, at: number}} Gone  s: a status, for its glyph */

const stays = 30_000;

/** @param {Approval} item */
export const nameOf = (item) => item.run + "/" + item.id;

/**
 * Rows of actions that do not wait any more, newest first.
 * @param {Approval[]|null} items what waits
 * @returns {Gone[]}
 */
export function useGone(items) {
  const before = useRef(/** @type {Approval[]} */ ([]));
  const [gone, set] = useState(/** @type {Gone[]} */ ([]));
  useEffect(() => {
    if (!items) return;
    const here = new Set(items.map(nameOf)), left = before.current.filter((item) => !here.has(nameOf(item)));
    before.current = items;
    for (const item of left) {
      whatBecame(item).then((said) => {
        const row = { item, at: Date.now(), ...said };
        set((rows) => [row, ...rows.filter((one) => nameOf(one.item) !== nameOf(item))]);
        setTimeout(() => set((rows) => rows.filter((one) => one !== row)), stays);
      });
    }
  }, [items]);
  return gone.filter((one) => !items?.some((item) => nameOf(item) === nameOf(one.item)));
}

/**
 * Asks who has decided.
 * @param {Approval} item
 * @returns {Promise<{s: string, text: string, who: string}>}
 */
async function whatBecame(item) {
  try {
    const { data } = await get("/v1/approvals/decided", { query: { limit: 100 } });
    const said = data.find((/** @type {any} */ one) => one.run === item.run && one.actions.some((/** @type {any} */ action) => action.id === item.id));
    if (said?.decision === "approved") return { s: "completed", text: "Approved by key", who: said.by?.name || "" };
    if (said?.decision === "rejected") return { s: "cancelled", text: "Rejected by key", who: said.by?.name || "" };
    if (said?.decision === "expired") return { s: "cancelled", text: "Not decided in time", who: "" };
  } catch { /* the row says what is known without it */ }
  return { s: "cancelled", text: "Does not wait any more", who: "" };
}
