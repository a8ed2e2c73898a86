// Package sql makes a tool of each query that the operator has named: database,
// statement and typed parameters come from the operator, values from the model.
//
// What it promises:
//   - Values are bound, never put into the statement's text.
//   - The connection can't write, whatever the statement says: SQLite files are
//     opened read-only with query_only set, PostgreSQL runs the statement in a read-only
//     transaction of a session whose default is read-only too.
//   - One statement, at most max_rows rows, at most timeout_s seconds, at most as
//     much output as tools may have; what was left out is said.
//   - An error shows the model what the database says about its values, and never
//     where the database is or how one logs in.
//
// To change what a query may say, edit query.go; how placeholders are found,
// statement.go; how rows are written, rows.go; a database, sqlite.go or
// postgres.go.
package sql
