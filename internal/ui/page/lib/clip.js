// Copying. The browser refuses without a secure context; then the text is selected in
// a field for the person to copy.
import { html, useState } from "./html.js";
import { Icon } from "./glyph.js";
import { announce } from "./announce.js";

/**
 * Copies a text; false when the browser would not.
 * @param {string} text
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return byHand(text);
  }
}

/** @param {string} text */
function byHand(text) {
  const field = Object.assign(document.createElement("textarea"), { value: text, className: "sr" });
  (document.querySelector("dialog:modal") || document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

/**
 * A button that copies: text, or what it returns when pressed.
 * @param {{text: string|(() => string|Promise<string>), label?: string, word?: string, class?: string}} props
 */
export function Copy({ text, label = "Copy", word, class: kind = "" }) {
  const [said, say] = useState("");
  const press = async () => {
    const ok = await copy(typeof text === "string" ? text : await text());
    say(ok ? "check" : "x");
    announce(ok ? "Copied" : "The browser does not let this page copy");
    setTimeout(() => say(""), 1500);
  };
  return html`<button class=${`btn quiet small ${word ? "" : "icon"} ${kind}`} type="button" aria-label=${word ? undefined : label} title=${label} onClick=${press}>
    <${Icon} name=${said || "copy"} />${word}</button>`;
}
