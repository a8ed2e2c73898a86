// What the page uses of preact/hooks.
import type { Context } from "./preact.js";
export interface Ref<T> {
  current: T;
}
type Update<S> = (value: S | ((before: S) => S)) => void;
export function useState<S>(initial: S | (() => S)): [S, Update<S>];
export function useState<S = undefined>(): [S | undefined, Update<S | undefined>];
export function useReducer<S, A>(reducer: (state: S, action: A) => S, initial: S): [S, (action: A) => void];
export function useRef<T>(initial: T): Ref<T>;
export function useRef<T>(initial: T | null): Ref<T | null>;
export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useMemo<T>(make: () => T, inputs?: readonly unknown[]): T;
export function useCallback<T extends Function>(callback: T, inputs: readonly unknown[]): T;
export function useContext<T>(context: Context<T>): T;
export function useErrorBoundary(seen?: (error: any) => void): [any, () => void];
export function useId(): string;
