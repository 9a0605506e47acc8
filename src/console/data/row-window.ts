import { type RefCallback, type UIEvent, useCallback, useState } from "react"
import { flushSync } from "react-dom"

/**
 * In pixels, of every row and of the head above them; the style sheet hears it from the grid. A million rows are less high
 * than 33,554,428 pixels, beyond which Chromium makes no element, and what was below could not be scrolled to.
 */
export const rowHeight = 33
/** So many rows are there beyond either edge, for what scrolls faster than it is drawn. */
const overscan = 10

/** Which rows exist: from `first`, without `end`. */
export interface RowWindow {
  readonly first: number
  readonly end: number
  /** For the area that scrolls. */
  readonly attach: RefCallback<HTMLElement>
  onScroll(event: UIEvent): void
}

/** Of `count` rows that all have one height, those that are in sight, and a few around them. */
export function useRowWindow(count: number): RowWindow {
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(0)
  const attach = useCallback<RefCallback<HTMLElement>>((area) => {
    if (!area) return
    setTop(rowAt(area))
    const observer = new ResizeObserver(() => setHeight(area.clientHeight))
    observer.observe(area)
    return () => observer.disconnect()
  }, [])
  return {
    first: Math.max(0, Math.min(top, count) - overscan),
    end: Math.min(count, top + Math.ceil(height / rowHeight) + overscan),
    attach,
    onScroll({ currentTarget }) {
      const now = rowAt(currentTarget)
      // In the frame that shows it, and not in the one after.
      if (now !== top) flushSync(() => setTop(now))
    },
  }
}

const rowAt = ({ scrollTop }: Element): number => Math.floor(scrollTop / rowHeight)
