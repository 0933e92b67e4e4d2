// As much of DuckDB's command line as the documents use: -c with statements, -csv for the results.
import { DuckDBInstance } from '@duckdb/node-api';

const [, , ...given] = process.argv;
const asCsv = given.includes('-csv');
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const statements = await connection.extractStatements(given[given.indexOf('-c') + 1]);
for (let i = 0; i < statements.count; i++) {
  const result = await (await statements.prepare(i)).runAndReadAll();
  if (!asCsv || !result.columnCount) continue;
  console.log(result.columnNames().join(','));
  for (const row of result.getRowsJson()) console.log(row.join(','));
}
