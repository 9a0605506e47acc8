import type { Checked, Operand } from "./checked.ts"
import type { Term } from "./terms.ts"
import type { RowSource, Scope } from "./types.ts"

/** What the parts of the compiler share: conditions, operands and relations contain each other. */
export interface Compiler {
  readonly scope: Scope
  readonly oneRow: boolean
  /** The row that the whole expression is about, also inside of quantifiers. */
  readonly top: RowSource
  /** Unique within one compiled expression. */
  newAlias(): string
  /** Where a path starts: the row at hand, or the new row. */
  rootOf(path: { readonly root: "row" | "new" }, row: RowSource): RowSource
  condition(node: Checked, row: RowSource): Term
  operand(operand: Operand, row: RowSource): Term
}
