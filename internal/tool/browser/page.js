// What Errand knows of a page. It runs in a JavaScript world of its own: a page
// can't see or change it. Every function takes the global object or an element
// first. To change what models see of a page, edit look.
globalThis.errand ??= (() => {
  const numbers = new Map(), elements = new Map();
  const roles = new Set(['button', 'link', 'checkbox', 'radio', 'tab', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option',
    'switch', 'combobox', 'textbox', 'searchbox', 'slider', 'spinbutton', 'treeitem', 'gridcell']);
  const inline = new Set(['inline', 'inline-block', 'inline-flex', 'contents', 'inline-grid', 'ruby']);
  const silent = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'HEAD', 'META', 'LINK', 'SVG', 'CANVAS', 'IFRAME', 'OBJECT']);
  let changed = performance.now();
  new MutationObserver(() => { changed = performance.now(); })
    .observe(document, {subtree: true, childList: true, attributes: true, characterData: true});

  const tidy = (text, most = 160) => {
    const flat = String(text ?? '').replace(/\s+/g, ' ').trim();
    return flat.length > most ? flat.slice(0, most) + '…' : flat;
  };

  const visible = el => {
    if (!el.checkVisibility?.({visibilityProperty: true, contentVisibilityAuto: true})) return false;
    const box = el.getBoundingClientRect();
    return box.width > 0 && box.height > 0;
  };

  const labels = el => el.labels ? [...el.labels] : [];

  // usable: it can be seen, or is a control that is drawn by its label.
  const usable = el => visible(el) || el.type === 'file' ||
    ((el.type === 'checkbox' || el.type === 'radio') && labels(el).some(visible));

  function role(el) {
    const given = (el.getAttribute('role') ?? '').trim().split(/\s+/)[0].toLowerCase();
    if (given) return given;
    switch (el.tagName) {
      case 'A': case 'AREA': return el.hasAttribute('href') ? 'link' : '';
      case 'BUTTON': case 'SUMMARY': return 'button';
      case 'SELECT': return el.multiple || el.size > 1 ? 'listbox' : 'combobox';
      case 'TEXTAREA': return 'textbox';
      case 'OPTION': return 'option';
      case 'INPUT': switch (el.type) {
        case 'hidden': return '';
        case 'button': case 'submit': case 'reset': case 'image': return 'button';
        case 'checkbox': case 'radio': return el.type;
        case 'range': return 'slider';
        case 'number': return 'spinbutton';
        case 'search': return 'searchbox';
        case 'file': return 'file';
        default: return 'textbox';
      }
    }
    return el.isContentEditable && !el.parentElement?.isContentEditable ? 'textbox' : '';
  }

  function interactive(el) {
    const is = role(el);
    if (roles.has(is) || is === 'listbox' || is === 'file') return is;
    if (el.hasAttribute('onclick') || (el.tabIndex >= 0 && el.hasAttribute('tabindex'))) return 'clickable';
    if (el.tagName !== 'LABEL' && getComputedStyle(el).cursor === 'pointer' &&
      !(el.parentElement && getComputedStyle(el.parentElement).cursor === 'pointer')) return 'clickable';
    return '';
  }

  function name(el) {
    const ids = el.getAttribute('aria-labelledby');
    if (ids) {
      const text = tidy(ids.split(/\s+/).map(id => el.getRootNode().getElementById?.(id)?.textContent ?? '').join(' '));
      if (text) return text;
    }
    const said = tidy(el.getAttribute('aria-label'));
    if (said) return said;
    if (el.tagName === 'INPUT' && ['button', 'submit', 'reset'].includes(el.type)) {
      return tidy(el.value || {submit: 'Submit', reset: 'Reset'}[el.type]);
    }
    const labelled = tidy(labels(el).map(l => {
      const copy = l.cloneNode(true);
      copy.querySelectorAll('input,select,textarea').forEach(c => c.remove());
      return copy.textContent;
    }).join(' '));
    if (labelled) return labelled;
    if (!['INPUT', 'SELECT', 'TEXTAREA'].includes(el.tagName) && !el.isContentEditable) {
      const text = tidy(el.innerText);
      if (text) return text;
      const picture = el.querySelector('img[alt],[aria-label],title');
      if (picture) return tidy(picture.getAttribute('alt') || picture.getAttribute('aria-label') || picture.textContent);
    }
    return tidy(el.getAttribute('alt') || el.getAttribute('title') || el.getAttribute('placeholder') || el.getAttribute('name'));
  }

  // state is what else there is to know of a control.
  function state(el) {
    const parts = [];
    if (el.type === 'password') { if (el.value) parts.push('filled'); }
    else if (el.tagName === 'SELECT') parts.push('value=' + JSON.stringify(tidy([...el.selectedOptions].map(o => o.text).join(', '))));
    else if (el.type === 'checkbox' || el.type === 'radio') { if (el.checked) parts.push('checked'); }
    else if (el.type === 'file') parts.push(el.files.length ? 'files=' + JSON.stringify([...el.files].map(f => f.name).join(', ')) : 'no file');
    else if (['INPUT', 'TEXTAREA'].includes(el.tagName) && !['submit', 'button', 'reset', 'image'].includes(el.type)) {
      if (el.value) parts.push('value=' + JSON.stringify(tidy(el.value)));
      if (el.type !== 'text' && el.tagName === 'INPUT') parts.push('type=' + el.type);
    } else if (el.isContentEditable) parts.push('value=' + JSON.stringify(tidy(el.innerText)));
    if (el.disabled || el.getAttribute('aria-disabled') === 'true') parts.push('disabled');
    if (el.required) parts.push('required');
    for (const key of ['checked', 'selected', 'expanded', 'pressed']) {
      const value = el.getAttribute('aria-' + key);
      if (value) parts.push(value === 'true' ? key : key + '=' + tidy(value, 20));
    }
    if (el === document.activeElement) parts.push('focused');
    return parts.length ? ' ' + parts.join(' ') : '';
  }

  const children = el => el.shadowRoot ? [...el.shadowRoot.childNodes] :
    el.tagName === 'SLOT' && el.assignedNodes().length ? el.assignedNodes() : [...el.childNodes];

  // look returns the page as lines. Elements get numbers from first on, and keep
  // them. Near: only what is at most one screen away.
  function look(_, first, near) {
    const lines = [];
    let text = '', prefix = '', next = first, beyond = 0;
    const flush = () => {
      const flat = tidy(text, 1000);
      if (flat) lines.push({text: prefix + flat});
      text = prefix = '';
    };
    const walk = node => {
      if (node.nodeType === Node.TEXT_NODE) { text += node.data; return; }
      if (node.nodeType !== Node.ELEMENT_NODE || silent.has(node.tagName.toUpperCase())) return;
      const is = interactive(node);
      if (getComputedStyle(node).display === 'none' && !(is && usable(node))) return;
      const box = node.getBoundingClientRect();
      const far = near && box.height > 0 && (box.bottom < -innerHeight || box.top > 2 * innerHeight);
      if (is && usable(node)) {
        if (far) { beyond++; return; }
        flush();
        let number = numbers.get(node);
        if (!number) { number = next++; numbers.set(node, number); elements.set(number, new WeakRef(node)); }
        lines.push({n: number, text: is + ' ' + JSON.stringify(name(node)) + state(node)});
        if (is === 'clickable' || is === 'gridcell' || is === 'treeitem' || is === 'option') {
          for (const inner of node.querySelectorAll('a[href],button,input,select,textarea')) walk(inner);
        }
        return;
      }
      if (far && !node.children.length) { beyond++; return; }
      const style = getComputedStyle(node), block = !inline.has(style.display) && style.display !== 'table-cell';
      if (style.visibility === 'hidden' && !node.children.length) return;
      if (block || node.tagName === 'BR') flush();
      if (/^H[1-6]$/.test(node.tagName)) prefix = '#'.repeat(+node.tagName[1]) + ' ';
      if (node.tagName === 'LI') prefix = '- ';
      if (node.tagName === 'IMG' && node.alt && visible(node)) text += ' (image: ' + tidy(node.alt, 80) + ') ';
      for (const child of children(node)) walk(child);
      if (style.display === 'table-cell' && node.nextElementSibling) text += ' | ';
      else if (style.display === 'inline-block') text += ' ';
      if (block) flush();
    };
    if (innerWidth > 0 && innerHeight > 0 && document.body) walk(document.body);
    flush();
    const all = document.scrollingElement;
    return {title: tidy(document.title), url: location.href, next, lines, beyond, ready: document.readyState, origin: performance.timeOrigin,
      scroll: Math.round(all?.scrollTop ?? 0), height: all?.scrollHeight ?? 0, screen: innerHeight};
  }

  function element(_, number) {
    const found = elements.get(number)?.deref();
    return found?.isConnected ? found : null;
  }

  function cssPath(el) {
    const parts = [];
    for (let node = el; node?.nodeType === Node.ELEMENT_NODE; node = node.parentElement) {
      if (node.id && document.querySelectorAll('#' + CSS.escape(node.id)).length === 1) {
        parts.unshift('#' + CSS.escape(node.id));
        break;
      }
      const same = [...(node.parentElement?.children ?? [])].filter(s => s.tagName === node.tagName);
      parts.unshift(node.tagName.toLowerCase() + (same.length > 1 ? `:nth-of-type(${same.indexOf(node) + 1})` : ''));
    }
    return parts.join(' > ');
  }

  function xpath(el) {
    const parts = [];
    for (let node = el; node?.nodeType === Node.ELEMENT_NODE; node = node.parentElement) {
      const same = [...(node.parentElement?.children ?? [])].filter(s => s.tagName === node.tagName);
      parts.unshift(node.tagName.toLowerCase() + (same.length > 1 ? `[${same.indexOf(node) + 1}]` : ''));
    }
    return '/' + parts.join('/');
  }

  const testID = el => ['data-testid', 'data-test-id', 'data-test', 'data-qa', 'data-cy'].map(a => el.getAttribute(a)).find(Boolean) ?? '';

  // everything returns all elements, those in open shadow roots too.
  function everything(root = document) {
    const found = [];
    for (const el of root.querySelectorAll('*')) {
      found.push(el);
      if (el.shadowRoot) found.push(...everything(el.shadowRoot));
    }
    return found;
  }

  const alike = (is, called) => everything().filter(el => interactive(el) === is && usable(el) && name(el) === called);

  function describe(el) {
    const is = interactive(el) || el.tagName.toLowerCase(), called = name(el);
    const nth = alike(is, called).indexOf(el);
    return {role: is, name: called, test_id: testID(el), css: cssPath(el), xpath: xpath(el), nth: Math.max(nth, 0)};
  }

  // locate finds what describe has described: by test id, by role and name, by
  // where it stands. What stands there must be of the same kind.
  function locate(_, wanted) {
    const kind = el => el && usable(el) && (!wanted.role || interactive(el) === wanted.role || el.tagName.toLowerCase() === wanted.role);
    if (wanted.test_id) {
      const same = everything().filter(el => testID(el) === wanted.test_id && kind(el));
      if (same.length === 1) return same[0];
    }
    let css = null, path = null;
    try { css = wanted.css ? document.querySelector(wanted.css) : null; } catch {}
    try { path = wanted.xpath ? document.evaluate(wanted.xpath, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE, null).singleNodeValue : null; } catch {}
    if (wanted.name) {
      const same = alike(wanted.role, wanted.name);
      const standing = same.find(el => el === css) ?? same.find(el => el === path);
      if (standing) return standing;
      if (same.length) return same[Math.min(wanted.nth ?? 0, same.length - 1)];
    }
    const byID = css?.id && wanted.css === '#' + CSS.escape(css.id);
    if (byID && kind(css)) return css;
    if (css && css === path && kind(css) && !wanted.name) return css;
    return null;
  }

  // aim brings an element into view and says what stands in a click's way.
  function aim(el) {
    let at = el;
    if (!visible(at)) at = labels(el).find(visible) ?? at;
    at.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    if (!visible(at)) return {why: 'it is not visible'};
    if (el.disabled || el.getAttribute('aria-disabled') === 'true') return {why: 'it is disabled'};
    const box = [...at.getClientRects()].find(r => r.width > 0 && r.height > 0) ?? at.getBoundingClientRect();
    const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1), y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
    let hit = document.elementFromPoint(x, y);
    while (hit?.shadowRoot?.elementFromPoint(x, y) && hit.shadowRoot.elementFromPoint(x, y) !== hit) hit = hit.shadowRoot.elementFromPoint(x, y);
    const within = (a, b) => { for (; a; a = a.parentNode ?? a.host) if (a === b) return true; return false; };
    if (hit && !within(hit, at) && !within(at, hit) && !labels(el).some(l => within(hit, l))) {
      return {why: 'it is covered by ' + hit.tagName.toLowerCase() + ' ' + JSON.stringify(tidy(hit.innerText, 60))};
    }
    return {dx: x - at.getBoundingClientRect().left, dy: y - at.getBoundingClientRect().top, label: at !== el};
  }
  const target = el => visible(el) ? el : labels(el).find(visible) ?? el;

  const kind = el => ({tag: el.tagName, type: (el.type ?? '').toLowerCase(), editable: el.isContentEditable,
    readonly: !!(el.readOnly || el.disabled), multiple: !!el.multiple, role: role(el)});

  const changedBy = el => {
    el.dispatchEvent(new Event('input', {bubbles: true, composed: true}));
    el.dispatchEvent(new Event('change', {bubbles: true}));
  };

  // put sets a control that is not typed into: a date, a colour, a range.
  function put(el, value) {
    el.focus();
    el.value = value;
    changedBy(el);
    return el.value;
  }

  function clear(el) {
    el.focus();
    if (el.isContentEditable) getSelection().selectAllChildren(el);
    else el.select?.();
    return (el.isContentEditable ? el.innerText : el.value ?? '').length;
  }

  const end = el => {
    el.focus();
    if (el.isContentEditable) { getSelection().selectAllChildren(el); getSelection().collapseToEnd(); }
    else try { el.setSelectionRange(el.value.length, el.value.length); } catch {}
    return true;
  };

  const options = el => [...(el.options ?? [])].slice(0, 500).map(o => ({text: tidy(o.text), value: o.value, selected: o.selected, disabled: o.disabled}));

  function choose(el, wanted) {
    const flat = text => tidy(text).toLowerCase();
    const all = [...el.options].filter(o => !o.disabled);
    const found = all.find(o => tidy(o.text) === tidy(wanted)) ?? all.find(o => o.value === wanted) ?? all.find(o => flat(o.text) === flat(wanted));
    if (!found) return '';
    found.selected = true;
    changedBy(el);
    return tidy(found.text) || found.value;
  }

  function find(_, wanted) {
    const flat = text => text.replace(/\s+/g, ' ').toLowerCase();
    const walker = document.createTreeWalker(document.body ?? document, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const holder = walker.currentNode.parentElement;
      if (!flat(walker.currentNode.data).includes(flat(wanted)) || !holder || silent.has(holder.tagName) || !visible(holder)) continue;
      holder.scrollIntoView({block: 'center', behavior: 'instant'});
      return tidy(holder.innerText, 500);
    }
    return '';
  }

  function scroll(el, screens, down) {
    const all = document.scrollingElement ?? document.documentElement;
    let box = el === globalThis ? all : el;
    while (box && box !== all && !(box.scrollHeight > box.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(box).overflowY))) box = box.parentElement;
    box ??= all;
    const before = box.scrollTop, height = box === all ? innerHeight : box.clientHeight;
    box.scrollBy({top: (down ? 1 : -1) * screens * height, behavior: 'instant'});
    return Math.round(box.scrollTop - before);
  }

  // source is the page without what nobody reads, for its text as Markdown.
  function source(_, links) {
    const copy = document.body?.cloneNode(true);
    if (!copy) return '';
    const shown = [...document.body.querySelectorAll('*')], twins = [...copy.querySelectorAll('*')];
    shown.forEach((el, i) => { if (silent.has(el.tagName.toUpperCase()) || !el.checkVisibility?.({visibilityProperty: true})) twins[i].remove(); });
    for (const a of copy.querySelectorAll('a[href]')) {
      if (!links) a.removeAttribute('href');
      else try { a.setAttribute('href', new URL(a.getAttribute('href'), document.baseURI).href); } catch {}
    }
    return copy.innerHTML.slice(0, 4 << 20);
  }

  const quiet = () => document.readyState === 'complete' ? performance.now() - changed : 0;

  return {look, element, locate, describe, aim, target, kind, put, clear, end, options, choose, find, scroll, source, quiet};
})();
