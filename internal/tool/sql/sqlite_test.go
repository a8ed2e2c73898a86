package sql

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
	"errand/internal/tool/tooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endless counts for longer than any test waits.
const endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT count(*) FROM c WHERE n <> :n"

// invoices is a database file with a table of invoices.
func invoices(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "invoices.db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.ExecuteScript(conn, `
		CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer TEXT, email TEXT, amount REAL, status TEXT, due TEXT, note BLOB);
		INSERT INTO invoices VALUES
			(1, 'Meridian', 'ap@meridian.example', 1250.5, 'unpaid', '2026-04-02', NULL),
			(2, 'Ärzte <e.V.>', 'kasse@aerzte.example', 80, 'unpaid', '2026-04-20', x'00ff'),
			(3, 'O''Neill "Ltd"', 'x@oneill.example', 99.9, 'paid', '2026-01-01', NULL);`, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func newTool(t *testing.T, q Query) *Tool {
	t.Helper()
	made, err := New("finance.read", q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { made.Close() })
	return made
}

func call(t *testing.T, made *Tool, arguments string) (string, error) {
	t.Helper()
	result, err := made.Call(t.Context(), tooltest.Call(made, arguments))
	return result.Output, err
}

func TestSQLiteTooltest(t *testing.T) {
	path := invoices(t)
	tooltest.Run(t, tooltest.Case{
		Tool: newTool(t, Query{
			DSN: "sqlite:" + path, Statement: "SELECT * FROM invoices WHERE status = :status OR :all",
			Parameters: map[string]Param{"status": {Type: "string", Required: true}, "all": {Type: "boolean", Default: false}},
		}),
		Works: []string{`{"status":"unpaid"}`, `{"status":"none"}`, `{"status":"x","all":true}`, `{"status":"' OR 1=1 --"}`},
		Bad:   []string{`{}`, `{"status":1}`, `{"status":"a","more":1}`, `[]`},
	})
	tooltest.Run(t, tooltest.Case{
		Tool:  newTool(t, Query{DSN: path, Statement: endless, Parameters: map[string]Param{"n": {Type: "integer"}}, TimeoutS: 60}),
		Slow:  `{"n":0}`,
		Fails: nil,
	})
}

func TestSQLiteRows(t *testing.T) {
	made := newTool(t, Query{
		DSN: invoices(t), Parameters: map[string]Param{"status": {Type: "string"}, "older_than_days": {Type: "integer", Default: 30}},
		Statement: "SELECT id, customer, amount, note, due FROM invoices WHERE (:status IS NULL OR status = :status) AND due <= date('2026-05-10', '-' || :older_than_days || ' days') ORDER BY id;",
	})
	if made.Describe().Class != run.Safe {
		t.Errorf("class %s, want safe", made.Describe().Class)
	}
	for arguments, want := range map[string]string{
		`{"status":"unpaid"}`:                      `{"columns":["id","customer","amount","note","due"],"rows":[[1,"Meridian",1250.5,null,"2026-04-02"]],"row_count":1,"truncated":false}`,
		`{"status":"unpaid","older_than_days":10}`: `{"columns":["id","customer","amount","note","due"],"rows":[[1,"Meridian",1250.5,null,"2026-04-02"],[2,"Ärzte <e.V.>",80,"[2 bytes]","2026-04-20"]],"row_count":2,"truncated":false}`,
		`{"status":"' OR 1=1 --"}`:                 `{"columns":["id","customer","amount","note","due"],"rows":[],"row_count":0,"truncated":false}`,
		`{"status":null,"older_than_days":100}`:    `{"columns":["id","customer","amount","note","due"],"rows":[[3,"O'Neill \"Ltd\"",99.9,null,"2026-01-01"]],"row_count":1,"truncated":false}`,
	} {
		got, err := call(t, made, arguments)
		if err != nil || got != want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", arguments, got, err, want)
		}
	}
}

func TestSQLiteOnlyReads(t *testing.T) {
	path := invoices(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	for _, statement := range []string{
		"DELETE FROM invoices", "UPDATE invoices SET status = 'paid' RETURNING id", "INSERT INTO invoices(id) VALUES (9)", "DROP TABLE invoices",
		"CREATE TABLE x(a)", "CREATE TEMP TABLE x(a)", "VACUUM INTO '" + other + "'", "ATTACH '" + other + "' AS o", "ATTACH '" + path + "' AS o",
		"WITH d AS (SELECT 1) DELETE FROM invoices",
	} {
		if got, err := call(t, newTool(t, Query{DSN: path, Statement: statement}), `{}`); !problem.Is(err, problem.ToolFailed) {
			t.Errorf("%s: got %s, %v; want a failure", statement, got, err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || string(before) != string(after) {
		t.Errorf("the file has changed: %v", err)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("another file was made")
	}
}

func TestSQLiteLimits(t *testing.T) {
	numbers := "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c LIMIT 100000) SELECT n, %s FROM c"
	path := invoices(t)
	type result struct {
		Rows      [][]any `json:"rows"`
		Count     int     `json:"row_count"`
		Truncated bool    `json:"truncated"`
	}
	for name, c := range map[string]struct {
		cell      string
		most      int
		rows      int // -1 = fewer than most
		truncated bool
	}{
		"by rows":    {"1", 7, 7, true},
		"by default": {"1", 0, 100, true},
		"by size":    {"hex(zeroblob(2000))", 1000, -1, true},
		"by a cell":  {"hex(zeroblob(200000))", 3, 3, true},
	} {
		got, err := call(t, newTool(t, Query{DSN: path, Statement: fmt.Sprintf(numbers, c.cell), MaxRows: c.most}), `{}`)
		if err != nil || len(got) > tool.MaxOutput {
			t.Fatalf("%s: %d bytes, %v", name, len(got), err)
		}
		var r result
		if err := json.Unmarshal([]byte(got), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r.Count != len(r.Rows) || r.Truncated != c.truncated || c.rows >= 0 && r.Count != c.rows || c.rows < 0 && (r.Count == 0 || r.Count >= c.most) {
			t.Errorf("%s: %d rows, count %d, truncated %v", name, len(r.Rows), r.Count, r.Truncated)
		}
	}
	exact, err := call(t, newTool(t, Query{DSN: path, Statement: "SELECT 1 UNION SELECT 2", MaxRows: 2}), `{}`)
	if err != nil || !strings.HasSuffix(exact, `"row_count":2,"truncated":false}`) {
		t.Errorf("exactly as many rows as wanted: %s, %v", exact, err)
	}
	wide := "SELECT " + strings.TrimSuffix(strings.Repeat("hex(zeroblob(4000)),", 20), ",")
	if got, err := call(t, newTool(t, Query{DSN: path, Statement: wide}), `{}`); !problem.Is(err, problem.ToolFailed) {
		t.Errorf("a row that does not fit: %.80s, %v", got, err)
	}
	slow := newTool(t, Query{DSN: path, Statement: endless, Parameters: map[string]Param{"n": {Type: "integer", Default: 0}}, TimeoutS: 1})
	if _, err := call(t, slow, `{}`); !problem.Is(err, problem.ToolFailed) || !strings.Contains(problem.From(err).Detail, "longer than 1 seconds") {
		t.Errorf("a query without end: %v", err)
	}
}

func TestSQLiteErrorsTellNoPath(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret-place.db")
	for dsn, statement := range map[string]string{
		"sqlite:" + secret: "SELECT 1", invoices(t): "SELECT nothing FROM invoices", "sqlite://" + invoices(t): "SELECT 1; SELECT 2",
	} {
		made, err := New("finance.read", Query{DSN: dsn, Statement: statement})
		if err != nil {
			continue // the second statement is refused at once
		}
		_, err = call(t, made, `{}`)
		if !problem.Is(err, problem.ToolFailed) || strings.Contains(problem.From(err).Detail, "secret-place") {
			t.Errorf("%s: %v", dsn, err)
		}
		t.Log(problem.From(err).Detail)
	}
	if _, err := os.Stat(secret); err == nil {
		t.Error("a missing database was made")
	}
}
