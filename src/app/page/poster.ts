import type { imagePresets } from "../images.ts"
import type { Film } from "./backend.ts"
import { element } from "./element.ts"
import { type Chance, motifs, type Shape } from "./motifs.ts"

/** Ground and two colours for a genre; on a `light` ground the title is dark. */
interface Palette {
  readonly ground: string
  readonly first: string
  readonly second: string
  readonly light?: true
}

const palettes: Readonly<Record<NonNullable<Film["genre"]>, Palette>> = {
  Action: { ground: "#9c2418", first: "#f0b145", second: "#1c1517" },
  Adventure: { ground: "#1d5748", first: "#efd28a", second: "#e2703a" },
  "Black Comedy": { ground: "#2a2730", first: "#d3b63d", second: "#9a4479" },
  Comedy: { ground: "#e8b23e", first: "#1f2a44", second: "#d2432c", light: true },
  "Concert/Performance": { ground: "#571c59", first: "#f19a3e", second: "#49b3c2" },
  Documentary: { ground: "#484c38", first: "#d8d1b4", second: "#cf7138" },
  Drama: { ground: "#1f3a5f", first: "#e8c07d", second: "#d65a3c" },
  Horror: { ground: "#151515", first: "#8c1c1c", second: "#a3b18e" },
  Musical: { ground: "#3a2976", first: "#f3a7b5", second: "#f6d365" },
  "Romantic Comedy": { ground: "#b5414f", first: "#fbe3d0", second: "#6b1934" },
  "Thriller/Suspense": { ground: "#12383f", first: "#7fb7a8", second: "#e4572e" },
  Western: { ground: "#964a18", first: "#f1cf8f", second: "#481d0f" },
}
const withoutGenre: readonly Palette[] = [
  { ground: "#464a54", first: "#b9bec9", second: "#e5decf" },
  { ground: "#3c3544", first: "#cbb7c9", second: "#dd9a5b" },
  { ground: "#3a4a49", first: "#d9cfae", second: "#8fb3b0" },
]

type Billed = Pick<Film, "id" | "title" | "genre" | "poster">

/** In a size of `images.ts`. What cannot be shown in it, as a drawing, leaves the film with the poster that is drawn for it. */
export function posterOf(film: Billed, preset: keyof typeof imagePresets): HTMLElement {
  if (!film.poster) return drawnFor(film)
  const src = `/files/${film.poster}?preset=${preset}`
  const image = element("img", {
    class: "poster",
    // Before `src`, which it is about.
    loading: "lazy",
    src,
    alt: film.title,
    onerror: () => image.replaceWith(drawnFor(film)),
  })
  return image
}

/** A poster of its own: always the same one, from its id. */
function drawnFor(film: Billed): HTMLElement {
  const chance = chanceFrom(film.id)
  const oneOf = <T>(choices: readonly T[]) => choices[Math.floor(chance(0, choices.length))] as T
  const motif = oneOf(motifs)
  const palette = film.genre ? palettes[film.genre] : oneOf(withoutGenre)
  const swapped = chance(0, 1) > 0.7
  const { first, second } = palette
  const shapes = swapped ? motif(chance, second, first) : motif(chance, first, second)
  const shade = `${Math.round(chance(0, 20))}%`
  const poster = element(
    "div",
    { class: palette.light ? "poster light" : "poster" },
    drawingOf(shapes),
    element("span", { class: `poster-title ${sizeOf(film.title)}` }, film.title),
  )
  poster.style.backgroundColor = `color-mix(in oklab, ${palette.ground}, ${palette.light ? "white" : "black"} ${shade})`
  return poster
}

const sizeOf = (title: string): string =>
  title.length <= 14 ? "short" : title.length <= 32 ? "medium" : "long"

function drawingOf(shapes: readonly Shape[]): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg"
  const drawing = document.createElementNS(space, "svg")
  drawing.setAttribute("viewBox", "0 0 200 300")
  drawing.setAttribute("preserveAspectRatio", "xMidYMin slice")
  drawing.setAttribute("aria-hidden", "true")
  for (const [name, attributes] of shapes) {
    const shape = document.createElementNS(space, name)
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, String(value))
    drawing.appendChild(shape)
  }
  return drawing
}

/** FNV-1a into mulberry32: small, and the same for the same film on every machine. */
function chanceFrom(id: string): Chance {
  let state = 0x811c9dc5
  for (let i = 0; i < id.length; i += 1) {
    state = Math.imul(state ^ id.charCodeAt(i), 0x01000193)
  }
  return (from, to) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return from + (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (to - from)
  }
}
