import * as tables from "../../../src/core/jobs/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual(Object.values(tables))
