// What every module builds with: Preact with htm in place of JSX, hooks, signals.
// A signal in a template updates its own piece of text and nothing else.
import { h } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { Component, Fragment, createContext, h, render } from "../vendor/preact.js";
export {
  useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "../vendor/hooks.js";
export { batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect } from "../vendor/signals.js";

export const html = htm.bind(h);

/**
 * Joins the names of classes, leaving out what is false.
 * @param {...(string|false|null|undefined)} names
 */
export function cx(...names) {
  return names.filter(Boolean).join(" ");
}
