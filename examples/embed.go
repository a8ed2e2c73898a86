// Package examples holds agents, tools and settings that run as they stand, and
// embeds them, so that the demo needs no checkout.
//
// It promises that each folder is complete: what its README tells a reader to do
// works with the files beside it.
//
// To change the demo's invoices, edit invoice-chaser/schema.sql and make its
// database anew with `go test ./examples -update`.
package examples

import "embed"

// InvoiceChaser has the folder invoice-chaser: agent.yaml, errand.yaml, schema.sql
// and invoices.db, the database that schema.sql makes.
//
//go:embed invoice-chaser
var InvoiceChaser embed.FS
