import { Badge, Button, Stack, Title } from "@mantine/core"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"

interface Session {
  readonly id: string
  readonly userAgent: string | null
  readonly createdAt: string
  readonly lastUsedAt: string
  readonly current: boolean
}

export function OwnSessions() {
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  return (
    <Stack component="section" gap="xs">
      <Title order={3} size="h4">
        {text.account.sessions}
      </Title>
      <PagedTable<Session>
        path="/auth/sessions"
        keyOf={({ id }) => id}
        empty={text.people.noSessions}
        columns={[
          {
            head: text.people.device,
            cell: ({ userAgent, current }) => (
              <>
                {userAgent ?? "–"}{" "}
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
                <Button
                  size="compact-xs"
                  variant="default"
                  loading={busy}
                  onClick={() =>
                    void run(() => write("DELETE", `/auth/sessions/${id}`), {
                      done: text.people.done,
                      changed: [["/auth/sessions"]],
                    })
                  }
                >
                  {text.people.end}
                </Button>
              ),
          },
        ]}
      />
    </Stack>
  )
}
