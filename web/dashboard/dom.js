/** Builds elements, and changes only what differs: a table that is redrawn each second loses focus and selection. */

/**
 * @param {string} tag
 * @param {Record<string, string | boolean | null | undefined>} [attributes] `class`, `aria-label`, ...
 * @param {...(Node | string | null)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Set text, if it differs. */
export function text(element, value) {
  const string = String(value);
  if (element.textContent !== string) element.textContent = string;
}

/** Set an attribute, if it differs; null and false take it away. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

/** Set a property of the style, if it differs. Scripts may do that under a policy without inline styles. */
export function style(element, name, value) {
  if (element.style.getPropertyValue(name) !== String(value)) element.style.setProperty(name, value);
}

/**
 * Make a parent's children those of a list, in order; a child of a known key stays.
 *
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string | number} keyOf
 * @param {(item: T) => HTMLElement} create
 * @param {(element: HTMLElement, item: T) => void} [update]
 */
export function fill(parent, items, keyOf, create, update = () => {}) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = known.get(key);
    if (child) known.delete(key);
    else {
      child = create(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
  for (const child of known.values()) child.remove();
}

/** A row of a table whose cells are updated by name; `columns` are their names, the first is the row's header. */
export function row(columns) {
  const tr = make("tr");
  columns.forEach((name, at) => {
    const cell = make(at ? "td" : "th", at ? { "data-cell": name } : { "data-cell": name, scope: "row" });
    tr.append(cell);
  });
  return tr;
}

export const cell = (element, name) => element.querySelector(`[data-cell="${name}"]`);
