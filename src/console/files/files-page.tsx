import {
  Box,
  Button,
  Code,
  CopyButton,
  Group,
  Modal,
  Select,
  Stack,
  Text,
  Title,
} from "@mantine/core"
import { useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import type { StoredFile } from "../../client/types.ts"
import { ActionButton } from "../action-button.tsx"
import { backend } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { DropArea } from "./drop-area.tsx"
import { FileLine } from "./file-line.tsx"
import { UploadList } from "./upload-list.tsx"
import { useUploads } from "./use-uploads.ts"

const path = "/files"

/** One's own files: sent, kept, shared for a while, deleted. */
export default function FilesPage() {
  const { text, language } = useLanguage()
  const t = text.files
  const queries = useQueryClient()
  const { uploads, start } = useUploads({}, () => {
    void queries.invalidateQueries({ queryKey: [path] })
  })
  const [sharing, setSharing] = useState<StoredFile | null>(null)
  return (
    <Stack>
      <Title order={2}>{t.title}</Title>
      <Text size="sm">{t.hint}</Text>
      <DropArea label={t.chooseSeveral} multiple onFiles={start} />
      <UploadList uploads={uploads} limits={{}} />
      <PagedTable<StoredFile>
        path={path}
        keyOf={({ id }) => id}
        empty={t.empty}
        columns={[
          {
            head: t.file,
            cell: (file) => (
              // A long name makes no wide table.
              <Box w="clamp(15rem, 60vw - 8rem, 26rem)">
                <FileLine id={file.id} told={file} />
              </Box>
            ),
          },
          {
            head: text.people.since,
            cell: ({ createdAt }) => (
              <span className="unbroken">{moment(createdAt, language)}</span>
            ),
          },
          {
            head: text.actions,
            cell: (file) => (
              <Group gap="xs">
                <Button size="compact-xs" variant="default" onClick={() => setSharing(file)}>
                  {t.share}
                </Button>
                <ActionButton
                  label={text.delete}
                  work={() => backend.files.delete(file.id)}
                  done={text.deleted}
                  changed={[[path]]}
                  grave
                />
              </Group>
            ),
          },
        ]}
      />
      {sharing && <ShareDialog file={sharing} onClose={() => setSharing(null)} />}
    </Stack>
  )
}

const days = 86_400

/** A link by which anybody reads the file for a while. */
function ShareDialog({ file, onClose }: { file: StoredFile; onClose: () => void }) {
  const { text, language } = useLanguage()
  const t = text.files
  const { busy, run } = useAction()
  const [seconds, setSeconds] = useState(String(days))
  const [link, setLink] = useState<{ url: string; expiresAt: string } | null>(null)
  const make = () =>
    run(async () => {
      setLink(await backend.files.link(file.id, Number(seconds)))
    })
  return (
    <Modal opened onClose={onClose} title={t.share}>
      <Stack>
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {t.shareHint(file.name)}
        </Text>
        <Select
          label={t.goodFor}
          data={[3_600, days, 7 * days].map((one) => ({
            value: String(one),
            label: t.spans[one as keyof typeof t.spans],
          }))}
          value={seconds}
          onChange={(value) => value && setSeconds(value)}
          allowDeselect={false}
        />
        <Button loading={busy} onClick={() => void make()} w="fit-content">
          {t.makeLink}
        </Button>
        {link && (
          <>
            <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
              {link.url}
            </Code>
            <Group>
              <CopyButton value={link.url}>
                {({ copied, copy }) => (
                  <Button size="xs" variant="default" onClick={copy}>
                    {copied ? text.copied : text.copy}
                  </Button>
                )}
              </CopyButton>
              <Text size="sm" c="dimmed">
                {t.goodUntil(moment(link.expiresAt, language))}
              </Text>
            </Group>
          </>
        )}
      </Stack>
    </Modal>
  )
}
