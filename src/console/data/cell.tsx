import { Anchor, Badge, Code, Text } from "@mantine/core"
import type { MouseEvent } from "react"
import { Link } from "wouter"
import { amount, day, moment } from "../dates.ts"
import { useLanguage } from "../text.tsx"
import type { FieldDescription } from "./collections.ts"

/** A value as text; nothing that a record holds is ever markup here. */
export function Cell({
  field,
  value,
  title,
}: {
  field: FieldDescription
  value: unknown
  title?: string | undefined
}) {
  const { text, language } = useLanguage()
  if (value === null || value === undefined || value === "") {
    return (
      <Text span c="dimmed" size="sm">
        –
      </Text>
    )
  }
  switch (field.kind) {
    case "boolean":
      return <Badge variant="light">{value ? text.yes : text.no}</Badge>
    case "integer":
    case "number":
    case "rollup":
      return <span className="numbers">{amount(Number(value), language)}</span>
    case "date":
      return <span className="numbers">{day(String(value), language)}</span>
    case "datetime":
      return <span className="numbers">{moment(String(value), language)}</span>
    case "choice":
      return <Badge variant="default">{String(value)}</Badge>
    case "relation":
      return (
        <Anchor
          component={Link}
          href={`/data/${field.options.target}/${String(value)}`}
          size="sm"
          onClick={(event: MouseEvent) => event.stopPropagation()}
        >
          {title ?? shortId(String(value))}
        </Anchor>
      )
    case "relations":
      return <span>{(value as string[]).map(shortId).join(", ") || "–"}</span>
    case "json":
    case "point":
      return <Code>{JSON.stringify(value)}</Code>
    default:
      return <span>{String(value)}</span>
  }
}

export const shortId = (id: string): string => `…${id.slice(-8)}`
