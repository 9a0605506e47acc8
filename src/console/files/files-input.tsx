import { CloseButton, Input, Stack } from "@mantine/core"
import { useEffect, useId, useRef } from "react"
import type { FieldDescription } from "../data/collections.ts"
import { bytes } from "../dates.ts"
import { useLanguage } from "../text.tsx"
import { DropArea } from "./drop-area.tsx"
import { FileLine, useFacts } from "./file-line.tsx"
import { UploadList } from "./upload-list.tsx"
import { useUploads } from "./use-uploads.ts"

export interface Sending {
  /** The field that files are sent for: `films.poster`. */
  readonly holder: string
  /** Whether something is still on its way. */
  readonly onBusy: (busy: boolean) => void
}

interface Props {
  readonly field: FieldDescription
  readonly value: readonly string[]
  readonly onChange: (ids: readonly string[]) => void
  readonly sending: Sending
  readonly label?: string | undefined
  readonly description?: string | undefined
  readonly error?: string | undefined
  readonly withAsterisk?: boolean
  readonly disabled?: boolean
}

/** The files of a field, by their ids: sent, replaced, removed. They are the record's when it is saved. */
export function FilesInput(props: Props) {
  const { field, value, onChange, sending, disabled, ...wrapper } = props
  const { text, language } = useLanguage()
  const t = text.files
  const { maxBytes } = field.options
  const types = field.options.types?.includes("*/*") ? undefined : field.options.types
  const several = field.kind === "files"
  const most = several && typeof field.options.max === "number" ? field.options.max : Infinity
  // Several come one after the other: each is added to those that are there by then.
  const current = useRef(value)
  current.current = value
  const limits = { types, maxBytes }
  const { uploads, start } = useUploads({ ...limits, holder: sending.holder }, (sent) => {
    current.current = several ? [...current.current, sent.id] : [sent.id]
    onChange(current.current)
  })
  const running = uploads.filter(({ error }) => error === null).length
  const busy = running > 0
  const { onBusy } = sending
  useEffect(() => onBusy(busy), [busy, onBusy])
  const id = useId()
  const room = several ? Math.max(0, most - value.length - running) : 1
  const hint = [
    types ? types.join(", ") : null,
    maxBytes === undefined ? null : t.upTo(bytes(maxBytes, language)),
    most === Infinity ? null : t.atMost(most),
  ].filter((one) => one !== null)
  return (
    <Input.Wrapper
      {...wrapper}
      labelElement="div"
      labelProps={{ id }}
      role="group"
      aria-labelledby={wrapper.label ? id : undefined}
      aria-label={wrapper.label ? undefined : field.name}
    >
      <Stack gap="xs" mt={4}>
        {value.map((one) => (
          <FileLine key={one} id={one}>
            {!disabled && (
              <Remove id={one} onRemove={() => onChange(value.filter((it) => it !== one))} />
            )}
          </FileLine>
        ))}
        <UploadList uploads={uploads} limits={limits} />
        {!disabled && room > 0 && (
          <DropArea
            label={several ? t.chooseSeveral : value.length > 0 ? t.replace : t.choose}
            hint={hint.length > 0 ? `(${hint.join(", ")})` : undefined}
            multiple={several}
            accept={types?.join(",")}
            disabled={!several && busy}
            onFiles={(files) => start(files.slice(0, room))}
          />
        )}
      </Stack>
    </Input.Wrapper>
  )
}

function Remove({ id, onRemove }: { id: string; onRemove: () => void }) {
  const { text } = useLanguage()
  const { file } = useFacts(id)
  return <CloseButton aria-label={text.files.remove(file?.name ?? "")} onClick={onRemove} />
}
