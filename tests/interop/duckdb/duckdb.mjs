// The part of DuckDB's command line that the tests use: -c with statements, -csv for the result of the last one, -unsigned for extensions
// that you built yourself.
import { DuckDBInstance, ResultReturnType } from '@duckdb/node-api';

const [, , ...given] = process.argv;
const instance = await DuckDBInstance.create(':memory:', { allow_unsigned_extensions: String(given.includes('-unsigned')) });
const connection = await instance.connect();
const result = await connection.runAndReadAll(given[given.indexOf('-c') + 1]);
// As in the command line, statements without a result, such as load, print nothing.
if (given.includes('-csv') && result.returnType === ResultReturnType.QUERY_RESULT) {
  console.log(result.columnNames().join(','));
  for (const row of result.getRowsJson()) console.log(row.join(','));
}
