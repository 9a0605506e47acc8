import { Code, Stack, Title } from "@mantine/core"
import { ActionButton } from "../action-button.tsx"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"

interface Schedule {
  readonly name: string
  readonly cron: string
  readonly timeZone: string
  readonly nextAt: string | null
  readonly lastAt: string | null
}

/** What happens by the clock. */
export default function Schedules() {
  const { text, language } = useLanguage()
  const t = text.jobs
  return (
    <Stack>
      <Title order={2}>{t.schedules}</Title>
      <PagedTable<Schedule>
        path="/jobs/schedules"
        keyOf={({ name }) => name}
        empty="–"
        columns={[
          { head: t.name, cell: ({ name }) => name },
          { head: t.cron, cell: ({ cron }) => <Code>{cron}</Code> },
          { head: t.zone, cell: ({ timeZone }) => timeZone },
          { head: t.last, cell: ({ lastAt }) => moment(lastAt, language) },
          { head: t.next, cell: ({ nextAt }) => moment(nextAt, language) },
          {
            head: text.actions,
            cell: ({ name }) => (
              <ActionButton
                label={t.runNow}
                work={() => write("POST", `/jobs/schedules/${encodeURIComponent(name)}/runs`)}
                done={t.started}
                changed={[["/jobs/schedules"], ["/jobs"]]}
              />
            ),
          },
        ]}
      />
    </Stack>
  )
}
