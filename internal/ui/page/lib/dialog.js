// Dialogs, on the browser's own: it keeps the focus inside, closes on Esc, and gives
// the focus back. A modal is for what can't be undone; a drawer for side matters.
import { html, render, useEffect, useId, useRef } from "./html.js";
import { Icon } from "./glyph.js";

/**
 * @typedef {{title: any, onClose: () => void, children?: any, footer?: any, class?: string, label?: string}} DialogProps
 *   It is open for as long as it is rendered; onClose takes it away.
 */

/** @param {DialogProps & {kind: string, close?: boolean}} props */
function Box({ title, onClose, children, footer, kind, class: more = "", close }) {
  const box = useRef(/** @type {HTMLDialogElement|null} */ (null)), id = useId();
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => { // it may have gone from the page already: then the browser has not given the focus back
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  const press = (/** @type {MouseEvent} */ event) => {
    if (box.current && event.target === box.current && outside(event, box.current)) onClose();
  };
  return html`<dialog ref=${box} class=${`${kind} ${more}`} aria-labelledby=${id} onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); onClose(); }} onPointerDown=${press}>
    <header><h2 id=${id} class="grow cut">${title}</h2>${close && html`<button class="btn icon quiet" type="button" aria-label="Close" onClick=${onClose}><${Icon} name="x" /></button>`}</header>
    <div class="body" tabindex=${kind === "drawer" ? 0 : undefined}>${children}</div>
    ${footer && html`<footer>${footer}</footer>`}
  </dialog>`;
}

/** @param {MouseEvent} event @param {HTMLElement} box */
function outside(event, box) {
  const edge = box.getBoundingClientRect();
  return event.clientX < edge.left || event.clientX > edge.right || event.clientY < edge.top || event.clientY > edge.bottom;
}

/** @param {DialogProps} props */
export const Modal = (props) => html`<${Box} kind="modal" ...${props} />`;

/** Comes from the right. What it shows belongs in the address: setQuery({drawer: id}). @param {DialogProps} props */
export const Drawer = (props) => html`<${Box} kind="drawer" close ...${props} />`;

/**
 * Asks before something that can't be undone. act repeats the verb, keep says what stays.
 * @param {{title: string, body: any, act: string, keep: string, danger?: boolean}} what
 * @returns {Promise<boolean>}
 */
export function confirm({ title, body, act, keep, danger = true }) {
  return new Promise((resolve) => {
    const place = document.createElement("div");
    document.body.append(place);
    const end = (/** @type {boolean} */ yes) => {
      render(null, place);
      place.remove();
      resolve(yes);
    };
    render(html`<${Modal} title=${title} onClose=${() => end(false)} footer=${html`
      <button class="btn" type="button" onClick=${() => end(false)}>${keep}</button>
      <button class=${danger ? "btn danger solid" : "btn primary"} type="button" onClick=${() => end(true)}>${act}</button>`}>${body}<//>`, place);
  });
}
