type Child = Node | string | null | undefined | false
type Attribute = string | number | boolean | null | undefined | ((event: Event) => void)

/**
 * An HTML element: `element("a", { href: "/", onclick: go }, "Home")`. Data becomes text and attributes, never markup.
 * False and null leave an attribute out, true sets it empty.
 */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value)
    else if (value === true) made.setAttribute(key, "")
    else if (value !== false && value != null) made.setAttribute(key, String(value))
  }
  add(made, ...children)
  return made
}

/** Puts `children` after what is there. Not `append`, whose types the Workers' HTMLRewriter overlays. */
export function add(parent: Node, ...children: readonly Child[]): void {
  for (const child of present(children)) {
    parent.appendChild(typeof child === "string" ? document.createTextNode(child) : child)
  }
}

/** Puts `children` in the place of what was there. */
export const fill = (
  parent: Pick<ParentNode, "replaceChildren">,
  ...children: readonly Child[]
): void => parent.replaceChildren(...present(children))

const present = (children: readonly Child[]): (Node | string)[] =>
  children.filter((child) => child !== null && child !== undefined && child !== false)

/** A button that does something, named in words or by `aria-label`. */
export const button = (
  text: string,
  onclick: (event: Event) => void,
  attributes: Readonly<Record<string, Attribute>> = {},
): HTMLButtonElement => element("button", { type: "button", onclick, ...attributes }, text)
