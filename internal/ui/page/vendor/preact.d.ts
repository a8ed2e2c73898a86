// What the page uses of preact.
export interface VNode {
  type: unknown;
  props: any;
  key: unknown;
}
export type Child = VNode | string | number | bigint | boolean | null | undefined | object | Child[];
export function h(type: any, props: any, ...children: Child[]): VNode;
export function render(vnode: Child, parent: Element | DocumentFragment): void;
export function Fragment(props: any): VNode;
export class Component<P = any, S = any> {
  constructor(props?: P);
  props: P;
  state: S;
  setState(state: Partial<S>): void;
  forceUpdate(): void;
  render(props: P, state: S): Child;
}
export interface Context<T> {
  Provider: (props: any) => VNode;
}
export function createContext<T>(initial: T): Context<T>;
