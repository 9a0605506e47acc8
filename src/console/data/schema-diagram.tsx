import { ScrollArea } from "@mantine/core"
import { useText } from "../text.tsx"
import type { CollectionDescription } from "./collections.ts"

const boxWidth = 220
const lineHeight = 18
const columns = 3
const gapX = 90
const gapY = 36

/** Boxes for collections and lines for their relations, drawn from the one that points to the one that is pointed at. */
export function SchemaDiagram({ collections }: { collections: readonly CollectionDescription[] }) {
  const text = useText()
  const boxes = place(collections)
  const width = columns * boxWidth + (columns - 1) * gapX + 80
  const height = Math.max(...[...boxes.values()].map(({ y, height }) => y + height)) + 20
  const lines = collections.flatMap(({ name, fields }) =>
    fields.flatMap((field, i) => {
      const from = boxes.get(name)
      const to = boxes.get(field.options.target ?? "")
      if (!from || !to || field.kind === "backRelation") return []
      return [{ key: `${name}.${field.name}`, path: curve(from, to, i) }]
    }),
  )
  return (
    <ScrollArea
      type="auto"
      viewportProps={{ tabIndex: 0, role: "group", "aria-label": text.data.diagram }}
    >
      <svg
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`${text.data.diagram}: ${lines.map(({ key }) => key).join(", ")}`}
        className="diagram"
      >
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto"
          >
            <path d="M0 0L8 4L0 8z" />
          </marker>
        </defs>
        {lines.map(({ key, path }) => (
          <path key={key} d={path} className="diagram-line" markerEnd="url(#arrow)" />
        ))}
        {collections.map((collection) => {
          const { x, y, height } = boxes.get(collection.name) as Box
          return (
            <g key={collection.name} transform={`translate(${x} ${y})`}>
              <rect width={boxWidth} height={height} rx="8" className="diagram-box" />
              <text x="12" y="22" className="diagram-name">
                {collection.name}
              </text>
              {shownFields(collection).map(({ name, kind, options }, i) => (
                <text key={name} x="12" y={44 + i * lineHeight} className="diagram-field">
                  {name}
                  <tspan className="diagram-kind">
                    {" "}
                    {options.target ? `→ ${options.target}` : kind}
                  </tspan>
                </text>
              ))}
            </g>
          )
        })}
      </svg>
    </ScrollArea>
  )
}

interface Box {
  readonly x: number
  readonly y: number
  readonly height: number
}

const shownFields = ({ fields }: CollectionDescription) =>
  fields.filter(({ kind }) => kind !== "backRelation")

/** In columns, each box where its column is shortest. */
function place(collections: readonly CollectionDescription[]): ReadonlyMap<string, Box> {
  const ends = Array.from({ length: columns }, () => 10)
  const boxes = new Map<string, Box>()
  for (const collection of collections) {
    const column = ends.indexOf(Math.min(...ends))
    const height = 38 + shownFields(collection).length * lineHeight + 6
    const y = ends[column] ?? 10
    boxes.set(collection.name, { x: 60 + column * (boxWidth + gapX), y, height })
    ends[column] = y + height + gapY
  }
  return boxes
}

function curve(from: Box, to: Box, field: number): string {
  const y1 = from.y + 40 + field * lineHeight
  const y2 = to.y + 18
  const right = to.x > from.x
  const x1 = right ? from.x + boxWidth : from.x
  const x2 = right ? to.x : to.x === from.x ? to.x : to.x + boxWidth
  const bend = to.x === from.x ? -50 : (x2 - x1) / 2
  return to.x === from.x
    ? `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 + bend} ${y2} ${x2} ${y2}`
    : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
}
