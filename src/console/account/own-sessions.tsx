import { Badge } from "@mantine/core"
import { ActionButton } from "../action-button.tsx"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { Device } from "../device-name.tsx"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { Section } from "./section.tsx"

interface Session {
  readonly id: string
  readonly userAgent: string | null
  readonly createdAt: string
  readonly lastUsedAt: string
  readonly current: boolean
}

export function OwnSessions() {
  const { text, language } = useLanguage()
  return (
    <Section title={text.account.sessions}>
      <PagedTable<Session>
        path="/auth/sessions"
        keyOf={({ id }) => id}
        empty={text.people.noSessions}
        columns={[
          {
            head: text.people.device,
            cell: ({ userAgent, current }) => (
              <>
                <Device userAgent={userAgent} />{" "}
                {current && <Badge variant="light">{text.account.current}</Badge>}
              </>
            ),
          },
          { head: text.people.since, cell: ({ createdAt }) => moment(createdAt, language) },
          { head: text.people.lastUsed, cell: ({ lastUsedAt }) => moment(lastUsedAt, language) },
          {
            head: text.actions,
            cell: ({ id, current }) =>
              current ? null : (
                <ActionButton
                  label={text.people.end}
                  work={() => write("DELETE", `/auth/sessions/${id}`)}
                  done={text.people.done}
                  changed={[["/auth/sessions"]]}
                />
              ),
          },
        ]}
      />
    </Section>
  )
}
