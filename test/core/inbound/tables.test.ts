import * as tables from "../../../src/core/inbound/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual(Object.values(tables))
