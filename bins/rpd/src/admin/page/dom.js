// Elements from descriptions, and the least change that makes the page show them.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: h("button", { onclick: flip }, "Whitelist"). Texts become text, never markup. Attributes that are null or
 * false are left out, functions become the handlers of events.
 */
export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same inside an image. */
export function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/**
 * Makes the children of `parent` what is wanted. Elements that are there already are kept and only brought up to date,
 * so focus, selection and scrolling stay; those with data-key are known by it, wherever they have moved.
 */
export function show(parent, ...wanted) {
  const next = wanted.flat(Infinity).filter(isThere).map((child) => (child instanceof Node ? child : new Text(child)));
  const kept = keepWanted(parent, next);
  let at = parent.firstChild;
  for (const child of next) {
    const same = child.dataset?.key ? kept.get(child.dataset.key) : alike(at, child) && at;
    if (!same) {
      parent.insertBefore(child, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else parent.insertBefore(same, at);
    update(same, child);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element[name] = value;
    else if (value === true) element.setAttribute(name, "");
    else if (isThere(value)) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter(isThere));
  return element;
}

function isThere(value) {
  return value !== null && value !== undefined && value !== false;
}

/** Removes the elements with a key that is not wanted any more, and gives the others by their keys. */
function keepWanted(parent, next) {
  const keys = new Set(next.map((child) => child.dataset?.key));
  const kept = new Map();
  for (const child of [...parent.children]) {
    const key = child.dataset.key;
    if (key && !keys.has(key)) child.remove();
    else if (key) kept.set(key, child);
  }
  return kept;
}

function alike(old, next) {
  return old && old.nodeName === next.nodeName && !old.dataset?.key;
}

function update(old, next) {
  if (old instanceof Text) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const name of HANDLERS) old[name] = next[name];
  // What a person has ticked is a property; what we want ticked is an attribute.
  if (old.type === "checkbox") old.checked = next.hasAttribute("checked");
  show(old, ...next.childNodes);
}

const HANDLERS = ["onclick", "oninput", "onchange", "onkeydown", "onsubmit"];
