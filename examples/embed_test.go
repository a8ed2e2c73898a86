package examples_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/examples"
)

var update = flag.Bool("update", false, "make invoice-chaser/invoices.db anew from schema.sql")

const database = "invoice-chaser/invoices.db"

// build makes the database that schema.sql describes and returns its path.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "invoices.db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	script, err := examples.InvoiceChaser.ReadFile("invoice-chaser/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteScript(conn, string(script), nil); err != nil {
		t.Fatalf("schema.sql: %v", err)
	}
	return path
}

// rows runs a query of a database that is only read.
func rows(t *testing.T, path, query string, named map[string]any) [][]string {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var found [][]string
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{Named: named, ResultFunc: func(stmt *sqlite.Stmt) error {
		var cells []string
		for i := range stmt.ColumnCount() {
			cells = append(cells, stmt.ColumnText(i))
		}
		found = append(found, cells)
		return nil
	}})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return found
}

func TestTheDatabaseIsWhatItsSchemaSays(t *testing.T) {
	built := build(t)
	if *update {
		data, err := os.ReadFile(built)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(database, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, query := range []string{"SELECT type, name, sql FROM sqlite_schema ORDER BY name", "SELECT * FROM ledger ORDER BY number"} {
		if diff := cmp.Diff(rows(t, built, query, nil), rows(t, database, query, nil)); diff != "" {
			t.Errorf("%s is older than schema.sql; run go test ./examples -update (-schema +database):\n%s", database, diff)
		}
	}
	embedded, err := examples.InvoiceChaser.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	if onDisk, err := os.ReadFile(database); err != nil || !*update && !bytes.Equal(embedded, onDisk) {
		t.Errorf("the embedded database is not the one on disk (%v)", err)
	}
}

// settings is the part of errand.yaml that this package can check alone.
type settings struct {
	SQL map[string]struct {
		Statement  string         `yaml:"statement"`
		Parameters map[string]any `yaml:"parameters"`
	} `yaml:"sql"`
}

func TestThreeInvoicesAreOverdue(t *testing.T) {
	text, err := examples.InvoiceChaser.ReadFile("invoice-chaser/errand.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file settings
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	query := file.SQL["finance.read"]
	if len(query.Parameters) != 2 {
		t.Fatalf("finance.read has parameters %v, want status and older_than_days", query.Parameters)
	}
	for _, test := range []struct {
		status string
		days   int
		want   []string
	}{
		{"unpaid", 30, []string{"INV-1041", "INV-1047", "INV-1052"}},
		{"unpaid", 0, []string{"INV-1041", "INV-1047", "INV-1052", "INV-1055", "INV-1058", "INV-1064"}},
		{"paid", 30, []string{"INV-1043", "INV-1048"}},
	} {
		var got []string
		for _, row := range rows(t, database, query.Statement, map[string]any{":status": test.status, ":older_than_days": test.days}) {
			got = append(got, row[0])
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s for over %d days: %v, want %v", test.status, test.days, got, test.want)
		}
	}
}

func TestTheDatesFollowTheCalendar(t *testing.T) {
	for _, row := range rows(t, database, "SELECT number, julianday(date('now')) - julianday(issued), days_open FROM invoices", nil) {
		if row[1] != row[2]+".0" && row[1] != row[2] {
			t.Errorf("%s was issued %s days ago, but is open for %s", row[0], row[1], row[2])
		}
	}
}
