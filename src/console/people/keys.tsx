import {
  Alert,
  Badge,
  Button,
  Code,
  CopyButton,
  Group,
  Modal,
  Stack,
  Text,
  Textarea,
  TextInput,
  Title,
} from "@mantine/core"
import { type FormEvent, useState } from "react"
import { ActionButton } from "../action-button.tsx"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"

interface ApiKey {
  readonly id: string
  readonly name: string
  readonly hint: string
  readonly scopes: readonly string[]
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
}

const path = "/auth/api-keys"
const changed = [[path]]

/** Keys with which programs act in one's name. */
export default function Keys() {
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  const [making, setMaking] = useState(false)
  const [issued, setIssued] = useState<string | null>(null)
  const t = text.keys
  const issue = async (path: string, body: object): Promise<void> => {
    const { key } = await write<{ key: string }>("POST", path, body)
    setIssued(key)
    setMaking(false)
  }
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2}>{t.title}</Title>
        <Button size="xs" onClick={() => setMaking(true)}>
          {t.new}
        </Button>
      </Group>
      {issued && (
        <Alert color="orange" title={t.shown} withCloseButton onClose={() => setIssued(null)}>
          <Stack gap="xs">
            <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
              {issued}
            </Code>
            <CopyButton value={issued}>
              {({ copied, copy }) => (
                <Button size="xs" onClick={copy} w="fit-content">
                  {copied ? text.copied : text.copy}
                </Button>
              )}
            </CopyButton>
          </Stack>
        </Alert>
      )}
      <PagedTable<ApiKey>
        path={path}
        keyOf={({ id }) => id}
        empty={t.empty}
        columns={[
          {
            head: text.signIn.name,
            cell: ({ name, hint }) => (
              <>
                {name} <Code>…{hint}</Code>
              </>
            ),
          },
          {
            head: t.scopes,
            cell: ({ scopes }) =>
              scopes.map((scope) => (
                <Badge key={scope} variant="default" mr={4}>
                  {scope}
                </Badge>
              )),
          },
          {
            head: t.expires,
            cell: ({ expiresAt }) => (expiresAt ? moment(expiresAt, language) : t.never),
          },
          { head: t.lastUsed, cell: ({ lastUsedAt }) => moment(lastUsedAt, language) },
          {
            head: text.actions,
            cell: ({ id }) => (
              <Group gap={4} wrap="nowrap">
                <ActionButton
                  label={t.rotate}
                  work={() => issue(`${path}/${id}/rotations`, {})}
                  changed={changed}
                />
                <ActionButton
                  label={t.revoke}
                  work={() => write("DELETE", `${path}/${id}`)}
                  done={text.deleted}
                  changed={changed}
                  grave
                />
              </Group>
            ),
          },
        ]}
      />
      <Modal opened={making} onClose={() => setMaking(false)} title={t.new}>
        <form
          onSubmit={(event: FormEvent<HTMLFormElement>) => {
            event.preventDefault()
            const data = new FormData(event.currentTarget)
            const scopes = String(data.get("scopes"))
              .split(/[\s,]+/)
              .filter(Boolean)
            const name = String(data.get("name"))
            void run(() => issue(path, { name, scopes }), { changed })
          }}
        >
          <Stack>
            <TextInput label={text.signIn.name} name="name" required data-autofocus />
            <Textarea
              label={t.scopes}
              description={t.scopesHint}
              name="scopes"
              required
              minRows={3}
            />
            <Text size="xs" c="dimmed">
              {t.shown}
            </Text>
            <Button type="submit" loading={busy}>
              {text.create}
            </Button>
          </Stack>
        </form>
      </Modal>
    </Stack>
  )
}
