import { Anchor, Code } from "@mantine/core"
import { Link } from "wouter"
import { moment } from "../dates.ts"
import { Device } from "../device-name.tsx"
import { PagedTable } from "../paged-table.tsx"
import { shortId } from "../short-id.ts"
import { useLanguage } from "../text.tsx"

interface SecurityEvent {
  readonly id: string
  readonly at: string
  readonly kind: string
  readonly user: string | null
  readonly actor: string | null
  readonly network: string | null
  readonly userAgent: string | null
  readonly detail: Readonly<Record<string, unknown>>
}

/** Security events, of one person or of all. */
export function EventTable({ user }: { user?: string }) {
  const { text, language } = useLanguage()
  const person = (id: string | null) =>
    id ? (
      <Anchor component={Link} href={`/users/${id}`} size="sm">
        {shortId(id)}
      </Anchor>
    ) : (
      "–"
    )
  return (
    <PagedTable<SecurityEvent>
      path="/auth/events"
      parameters={{ user }}
      keyOf={({ id }) => id}
      empty={text.audit.empty}
      columns={[
        { head: text.audit.at, cell: ({ at }) => moment(at, language) },
        { head: text.audit.event, cell: ({ kind }) => <Code>{kind}</Code> },
        ...(user
          ? []
          : [{ head: text.audit.subject, cell: (it: SecurityEvent) => person(it.user) }]),
        { head: text.audit.actor, cell: ({ actor }) => person(actor) },
        {
          head: text.people.device,
          cell: ({ userAgent, network }) => <Device userAgent={userAgent ?? network} />,
        },
      ]}
    />
  )
}
