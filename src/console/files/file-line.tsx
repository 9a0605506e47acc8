import { ActionIcon, Anchor, Group, Loader, Stack, Text } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import type { ReactNode } from "react"
import { useReader, useViewing } from "../data/viewer.tsx"
import { bytes } from "../dates.ts"
import { Icon } from "../icon.tsx"
import { keepBlob } from "../keep-blob.ts"
import { shortId } from "../short-id.ts"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { type FileFacts, factsQuery } from "./file.ts"
import { Thumbnail } from "./thumbnail.tsx"

/** What is known of a file: as it was told along with its record, else asked for. */
export function useFacts(id: string, told?: FileFacts) {
  const query = useQuery({ ...factsQuery(id, useReader()), enabled: told === undefined })
  return { file: told ?? query.data, missing: query.isError }
}

/** A file with its picture, name and size, to be opened or kept; and what else can be done with it. */
export function FileLine(props: { id: string; told?: FileFacts; children?: ReactNode }) {
  const { text, language } = useLanguage()
  const { file, missing } = useFacts(props.id, props.told)
  return (
    <Group gap="sm" wrap="nowrap">
      {file ? (
        <Thumbnail file={file} size={48} />
      ) : missing ? (
        <Icon name="file" />
      ) : (
        <Loader size="xs" role="status" aria-label={text.loading} />
      )}
      <Stack gap={0} flex={1} miw={0}>
        {file ? (
          <>
            <FileLink file={file} />
            <Text size="xs" c="dimmed" className="numbers">
              {file.type} · {bytes(file.sizeBytes, language)}
            </Text>
          </>
        ) : (
          missing && (
            <Text size="sm" c="dimmed">
              {text.files.gone} {shortId(props.id)}
            </Text>
          )
        )}
      </Stack>
      {file && <Download file={file} />}
      {props.children}
    </Group>
  )
}

/** Opens it where the server lets browsers show it; its answer, and not this page, says what it may do there. */
function FileLink({ file }: { file: FileFacts }) {
  const { viewer } = useViewing()
  if (viewer) return <Text size="sm">{file.name}</Text>
  return (
    <Anchor size="sm" href={`/files/${file.id}`} target="_blank" rel="noopener" className="cut">
      {file.name}
    </Anchor>
  )
}

function Download({ file }: { file: FileFacts }) {
  const { text } = useLanguage()
  const { viewer } = useViewing()
  const { busy, run } = useAction()
  const common = {
    variant: "subtle",
    color: "gray",
    "aria-label": text.files.download(file.name),
  } as const
  const icon = <Icon name="download" />
  if (!viewer) {
    return (
      <ActionIcon {...common} component="a" href={`/files/${file.id}?download=true`} download>
        {icon}
      </ActionIcon>
    )
  }
  // With the rights of whose view it is, and not of who looks.
  const keep = async () => {
    const answer = await viewer.open(`/files/${file.id}`)
    keepBlob(await answer.blob(), file.name)
  }
  return (
    <ActionIcon {...common} loading={busy} onClick={() => void run(keep)}>
      {icon}
    </ActionIcon>
  )
}

/** A file in a cell: its picture, or the sheet of what has none, and its name. */
export function FileCell({ id, told }: { id: string; told?: FileFacts | undefined }) {
  const { file } = useFacts(id, told)
  if (!file) return <span>{shortId(id)}</span>
  return (
    <span className="file-cell">
      <Thumbnail file={file} size={28} />
      <span className="cut">{file.name}</span>
    </span>
  )
}

/** What a file was called, where that has been told already: one that no record holds any more may be read by nobody. */
export function FileName({ id }: { id: string }) {
  const { data } = useQuery({ ...factsQuery(id, useReader()), enabled: false })
  return <span>{data?.name ?? shortId(id)}</span>
}
