// What an open page adds to the palette.
import { signal, useEffect } from "./html.js";

export const pageCommands = signal(/** @type {import("../part/found.js").Command[]} */ ([]));

/**
 * Adds commands while the component is there.
 * @param {import("../part/found.js").Command[]} list
 * @param {readonly unknown[]} inputs when one changes, the list is taken anew
 */
export function useCommands(list, inputs) {
  useEffect(() => {
    pageCommands.value = [...list, ...pageCommands.peek()];
    return () => { pageCommands.value = pageCommands.peek().filter((one) => !list.includes(one)); };
  }, inputs);
}
