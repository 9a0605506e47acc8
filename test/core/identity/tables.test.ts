import * as tables from "../../../src/core/identity/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual(Object.values(tables))
