import { useQuery } from "@tanstack/react-query"
import { useEffect, useState } from "react"
import { useReader } from "../data/viewer.tsx"
import { Icon } from "../icon.tsx"
import { type FileFacts, isImage, thumbnailQuery } from "./file.ts"

/**
 * An image in small, or a sheet for what is none. Read as whoever's view is looked at: an address would be asked with the
 * cookies of who looks. Beside its name it needs no words.
 */
export function Thumbnail({
  file,
  size,
  alt = "",
}: {
  file: FileFacts
  size: number
  alt?: string
}) {
  const { data } = useQuery({ ...thumbnailQuery(file, useReader()), enabled: isImage(file) })
  const url = useObjectUrl(data)
  return (
    <span className="thumbnail" style={{ width: size, height: size }}>
      {url ? <img src={url} alt={alt} /> : <Icon name="file" size={Math.min(size, 20)} />}
    </span>
  )
}

/** An address for a blob, good for as long as this is shown. */
function useObjectUrl(blob: Blob | null | undefined): string | null {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    if (!blob) return setUrl(null)
    const made = URL.createObjectURL(blob)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [blob])
  return url
}
