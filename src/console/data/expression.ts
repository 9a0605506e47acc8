import type { Ast } from "../../core/expression/ast.ts"
import { ExpressionError } from "../../core/expression/error.ts"
import { parseExpression } from "../../core/expression/parse.ts"

/** A text of the expression language as the server's tree; null where it is none. */
export function readExpression(text: string): Ast | null {
  try {
    return parseExpression(text)
  } catch (error) {
    if (error instanceof ExpressionError) return null
    throw error
  }
}
