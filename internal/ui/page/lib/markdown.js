// A model's Markdown, made harmless: marked makes HTML of Markdown alone, DOMPurify lets
// through text and its structure. Pictures from elsewhere are never loaded, since an address
// can carry away what the model knows; they become links that a person may open.
import { html, useEffect, useRef, useState } from "./html.js";

const tags = ["p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "a", "table", "thead", "tbody", "tr", "th", "td"];

/** @type {Promise<(text: string) => DocumentFragment>|null} */
let ready = null;

/** @returns {Promise<(text: string) => DocumentFragment>} */
function library() {
  ready ||= Promise.all([import("../vendor/marked.js"), import("../vendor/dompurify.js")]).then(([{ Marked }, { default: purify }]) => {
    const marked = new Marked({ gfm: true, breaks: true, async: false, renderer: { image: asLink, html: (/** @type {{text: string}} */ { text }) => safe(text), checkbox: (/** @type {{checked: boolean}} */ { checked }) => (checked ? "☑ " : "☐ ") } });
    purify.addHook("afterSanitizeAttributes", tame);
    return (text) => purify.sanitize(marked.parse(text), {
      ALLOWED_TAGS: tags, ALLOWED_ATTR: ["href", "title", "start", "align"], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false,
      ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i, ADD_URI_SAFE_ATTR: ["start", "align"], RETURN_DOM_FRAGMENT: true,
    });
  });
  return ready;
}

/** HTML in a text is shown as the text that it is. @param {string} text */
const safe = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** @param {{href: string, text: string}} image */
function asLink({ href, text }) {
  return `<a href="${safe(href)}">picture: ${safe(text || href)}</a>`;
}

/** @param {any} node */
function tame(node) {
  if (node.nodeName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  }
  if (/^H[1-6]$/.test(node.nodeName)) { // the page has its own heads
    node.setAttribute("role", "heading");
    node.setAttribute("aria-level", String(Math.min(6, Number(node.nodeName[1]) + 2)));
  }
}

/**
 * Markdown as sanitised nodes; the plain text until the libraries are there, and for
 * as long as it is being written (live), when half a table would jump.
 * @param {{text: string, live?: boolean, class?: string}} props
 */
export function Markdown({ text, live, class: kind }) {
  const box = useRef(/** @type {HTMLDivElement|null} */ (null)), [made, setMade] = useState(false);
  useEffect(() => {
    let gone = false;
    if (!live) {
      library().then((nodes) => {
        if (gone || !box.current) return;
        box.current.replaceChildren(nodes(text));
        setMade(true);
      }).catch(() => {}); // the plain text stays
    }
    return () => { gone = true; };
  }, [text, live]);
  // The two are different elements: what Preact has written is never touched by hand.
  return html`<div class=${"md " + (kind || "")}>
    ${(!made || live) && html`<div class="md-plain">${text}</div>`}
    <div ref=${box} hidden=${!made || live} />
  </div>`;
}
