import { ScrollArea } from "@mantine/core"
import { useState } from "react"
import { useText } from "../text.tsx"
import type { CollectionDescription, FieldDescription } from "./collections.ts"
import { type Box, type Edge, layOut, type Point } from "./schema-layout.ts"

const sizes = { boxWidth: 200, gapX: 72, gapY: 24, head: 17 }
const lineHeight = 18
const headHeight = 30
/** Of a collection with more fields than these, those that point elsewhere come first, and the rest is counted. */
const mostFields = 8

/**
 * Boxes for collections, and lines for their relations from the one that points to the one that is pointed at. Each box leads
 * to what is said of the collection below, and its text says what it points at, for those who do not see the lines.
 */
export function SchemaDiagram({ collections }: { collections: readonly CollectionDescription[] }) {
  const { data: t } = useText()
  const [near, setNear] = useState<string | null>(null)
  const shown = new Map(collections.map((collection) => [collection.name, fieldsOf(collection)]))
  const edges = collections.flatMap(({ name }) => edgesOf(name, shown.get(name)?.fields ?? []))
  const nodes = collections.map(({ name }) => ({ id: name, height: heightOf(shown.get(name)) }))
  const { width, height, boxes, lines } = layOut(nodes, edges, sizes)
  return (
    <ScrollArea
      type="auto"
      offsetScrollbars="x"
      viewportProps={{ tabIndex: 0, role: "group", "aria-label": t.diagram }}
    >
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} className="diagram">
        <title>{t.diagram}</title>
        <Arrows />
        {edges.map(({ id, from, to }) => (
          <path
            key={id}
            d={curve(lines.get(id) ?? [])}
            className="diagram-line"
            data-near={near === from || near === to || undefined}
            data-far={(near !== null && near !== from && near !== to) || undefined}
            markerEnd={near === from || near === to ? "url(#arrow-near)" : "url(#arrow)"}
          />
        ))}
        {collections.map(({ name }) => (
          <CollectionBox
            key={name}
            name={name}
            box={boxes.get(name) as Box}
            shown={shown.get(name) as Shown}
            onNear={setNear}
          />
        ))}
      </svg>
    </ScrollArea>
  )
}

interface Shown {
  readonly fields: readonly FieldDescription[]
  /** How many fields there are beside these. */
  readonly more: number
}

function fieldsOf({ fields }: CollectionDescription): Shown {
  const all = fields.filter(({ kind }) => kind !== "backRelation")
  if (all.length <= mostFields) return { fields: all, more: 0 }
  const pointing = all.filter(({ options }) => options.target !== undefined)
  const others = all.filter(({ options }) => options.target === undefined)
  const kept = [...pointing, ...others.slice(0, Math.max(0, mostFields - 1 - pointing.length))]
  return { fields: kept, more: all.length - kept.length }
}

const rowOf = (i: number): number => headHeight + (i + 0.5) * lineHeight

const heightOf = (shown: Shown | undefined): number =>
  headHeight + ((shown?.fields.length ?? 0) + (shown?.more ? 1 : 0)) * lineHeight + 10

const edgesOf = (name: string, fields: readonly FieldDescription[]): Edge[] =>
  fields.flatMap((field, i) => {
    const { target } = field.options
    if (target === undefined || field.kind === "rollup") return []
    return [{ id: `${name}.${field.name}`, from: name, to: target, row: rowOf(i) }]
  })

/** Through all corners: level in boxes' sight, bent between columns. */
const curve = ([first, ...rest]: readonly Point[]): string => {
  if (!first) return ""
  let before = first
  const steps = rest.map((point) => {
    const half = (before.x + point.x) / 2
    const step =
      before.y === point.y || before.x === point.x
        ? `L${point.x} ${point.y}`
        : `C${half} ${before.y} ${half} ${point.y} ${point.x} ${point.y}`
    before = point
    return step
  })
  return `M${first.x} ${first.y}${steps.join("")}`
}

const Arrows = () => (
  <defs>
    {["arrow", "arrow-near"].map((id) => (
      <marker
        key={id}
        id={id}
        viewBox="0 0 8 8"
        refX="7"
        refY="4"
        markerWidth="7"
        markerHeight="7"
        markerUnits="userSpaceOnUse"
        orient="auto"
      >
        <path d="M0 0L8 4L0 8z" />
      </marker>
    ))}
  </defs>
)

function CollectionBox(props: {
  name: string
  box: Box
  shown: Shown
  onNear: (name: string | null) => void
}) {
  const { data: t } = useText()
  const { name, box, shown, onNear } = props
  return (
    <a
      href={`#${name}`}
      onMouseEnter={() => onNear(name)}
      onMouseLeave={() => onNear(null)}
      onFocus={() => onNear(name)}
      onBlur={() => onNear(null)}
    >
      <g transform={`translate(${box.x} ${box.y})`}>
        <rect width={sizes.boxWidth} height={box.height} rx="8" className="diagram-box" />
        <path d={`M0 ${headHeight - 2}H${sizes.boxWidth}`} className="diagram-rule" />
        <text x="12" y="19" className="diagram-name">
          {`${name} `}
        </text>
        {shown.fields.map((field, i) => (
          <text key={field.name} x="12" y={rowOf(i) + 6}>
            {`${field.name} `}
            <tspan className="diagram-kind">
              {field.options.target ? `→ ${field.options.target} ` : `${field.kind} `}
            </tspan>
          </text>
        ))}
        {shown.more > 0 && (
          <text x="12" y={rowOf(shown.fields.length) + 6} className="diagram-kind">
            {t.moreFields(shown.more)}
          </text>
        )}
      </g>
    </a>
  )
}
