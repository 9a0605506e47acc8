import { Button, Menu } from "@mantine/core"
import { Link } from "wouter"
import { pathWith } from "../backend.ts"
import { Icon } from "../icon.tsx"
import { useText } from "../text.tsx"
import type { CollectionDescription, FieldDescription } from "./collections.ts"
import type { Asked } from "./records.ts"

/** What is opened from here, over the records. */
export type Opened = "bin" | "update" | "delete" | "view as"

/** What can be done with a collection as a whole, or with all of it that the filter finds. */
export function MoreMenu(props: {
  collection: CollectionDescription
  columns: readonly FieldDescription[]
  asked: Asked
  /** How many records are found, as a text; null while they are counted. */
  count: string | null
  onOpen: (what: Opened) => void
}) {
  const { collection, columns, asked, count, onOpen } = props
  const text = useText()
  const { name, readOnly } = collection
  const searched = asked.search !== ""
  const fields = [...new Set(["id", ...columns.map((column) => column.name)])].join(",")
  const exportAs = (format: string, bom?: string) =>
    pathWith(`/records/${name}/export`, {
      format,
      bom,
      filter: asked.filter,
      sort: asked.sort,
      fields,
    })
  const download = (label: string, href: string) =>
    searched ? (
      <Menu.Item disabled>{label}</Menu.Item>
    ) : (
      <Menu.Item component="a" download href={href}>
        {label}
      </Menu.Item>
    )
  return (
    // Without its placeholder for the focus, which no menu may have as a child.
    <Menu position="bottom-end" width={300} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <Button variant="default" size="xs" rightSection={<Icon name="down" size={12} />}>
          {text.bulk.more}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {searched && <Menu.Label>{text.data.exportSearch}</Menu.Label>}
        {download(text.data.exportAs.csv, exportAs("csv"))}
        {download(text.data.exportAs.excel, exportAs("csv", "true"))}
        {download(text.data.exportAs.ndjson, exportAs("ndjson"))}
        {!readOnly && (
          <>
            <Menu.Item component={Link} href={`/data/${name}/import`}>
              {text.import.button}
            </Menu.Item>
            <Menu.Divider />
            {searched && <Menu.Label>{text.bulk.searched}</Menu.Label>}
            <Menu.Item disabled={searched || count === null} onClick={() => onOpen("update")}>
              {text.bulk.editAll(count ?? "…")}
            </Menu.Item>
            <Menu.Item disabled={searched || count === null} onClick={() => onOpen("delete")}>
              {text.bulk.deleteAll(count ?? "…")}
            </Menu.Item>
            <Menu.Item onClick={() => onOpen("bin")}>{text.data.bin}</Menu.Item>
          </>
        )}
        <Menu.Divider />
        <Menu.Item onClick={() => onOpen("view as")}>{text.viewAs.title}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
