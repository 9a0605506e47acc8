import { Button, FileButton, Group, Text } from "@mantine/core"
import { useState } from "react"
import { useText } from "../text.tsx"

interface Props {
  readonly label: string
  readonly hint?: string | undefined
  readonly multiple: boolean
  readonly accept?: string | undefined
  readonly disabled?: boolean | undefined
  readonly onFiles: (files: readonly File[]) => void
}

/** Where files are chosen, dropped or, with the keyboard here, pasted. */
export function DropArea({ label, hint, multiple, accept, disabled, onFiles }: Props) {
  const text = useText()
  const [over, setOver] = useState(false)
  const take = (list: FileList | null | undefined) => {
    const files = [...(list ?? [])]
    if (files.length > 0 && !disabled) onFiles(multiple ? files : files.slice(0, 1))
  }
  return (
    // The button in it does the same for those who drag nothing.
    <Group
      className="drop-area"
      data-over={over || undefined}
      gap="sm"
      onDragOver={(event) => {
        event.preventDefault()
        setOver(!disabled)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault()
        setOver(false)
        take(event.dataTransfer.files)
      }}
      onPaste={(event) => take(event.clipboardData.files)}
    >
      <FileButton
        onChange={(chosen) => {
          const files = Array.isArray(chosen) ? chosen : chosen ? [chosen] : []
          if (files.length > 0) onFiles(files)
        }}
        multiple={multiple}
        disabled={disabled ?? false}
        {...(accept && { accept })}
        inputProps={{ "aria-label": label, tabIndex: -1 }}
      >
        {(button) => (
          <Button size="xs" variant="default" disabled={disabled ?? false} {...button}>
            {label}
          </Button>
        )}
      </FileButton>
      <Text size="xs" c="dimmed">
        {text.files.drop} {hint}
      </Text>
    </Group>
  )
}
