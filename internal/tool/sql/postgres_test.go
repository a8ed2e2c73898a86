//go:build unix

package sql

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"errand/internal/problem"
	"errand/internal/store/postgres/pgtest"
	"errand/internal/tool"
	"errand/internal/tool/tooltest"
)

// filled returns the DSN of a database with a few invoices, on a server of the
// tests' own.
func filled(t *testing.T) string {
	t.Helper()
	dsn := pgtest.Start(t, pgtest.Options{NoSync: true}).Database(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, conn)
	return dsn
}

func fill(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	defer conn.Close(t.Context())
	_, err := conn.Exec(t.Context(), `
		CREATE TABLE invoices (id bigint PRIMARY KEY, customer text, amount numeric(10,2), status text, due date, paid boolean, extra jsonb, ref uuid, at timestamptz, raw bytea, tags text[]);
		INSERT INTO invoices VALUES
			(1, 'Meridian', 1250.50, 'unpaid', '2026-04-02', false, '{"a": [1, 2]}', '6f1f7b0a-2a3c-4a53-9d0e-0123456789ab', '2026-04-02 10:00:00Z', '\x00ff', '{a,b}'),
			(2, 'Ärzte <e.V.>', 'NaN', 'unpaid', '2026-04-20', false, NULL, NULL, NULL, NULL, NULL),
			(3, 'O''Neill', 99.9, 'paid', '2026-01-01', true, NULL, NULL, NULL, NULL, NULL);`)
	if err != nil {
		t.Fatal(err)
	}
}

// One server for all, because starting one takes a second.
func TestPostgres(t *testing.T) {
	dsn := filled(t)
	t.Run("tooltest", func(t *testing.T) { postgresTooltest(t, dsn) })
	t.Run("rows", func(t *testing.T) { postgresRows(t, dsn) })
	t.Run("only reads", func(t *testing.T) { postgresOnlyReads(t, dsn) })
	t.Run("limits", func(t *testing.T) { postgresLimits(t, dsn) })
	t.Run("errors", func(t *testing.T) { postgresErrors(t, dsn) })
}

func postgresTooltest(t *testing.T, dsn string) {
	tooltest.Run(t, tooltest.Case{
		Tool: newTool(t, Query{DSN: dsn, Statement: "SELECT * FROM invoices WHERE status = :status OR paid = :paid", Parameters: map[string]Param{
			"status": {Type: "string", Required: true}, "paid": {Type: "boolean"},
		}}),
		Works: []string{`{"status":"unpaid"}`, `{"status":"none"}`, `{"status":"x","paid":true}`, `{"status":"' OR 1=1 --"}`},
		Bad:   []string{`{}`, `{"status":1}`, `[]`},
	})
	tooltest.Run(t, tooltest.Case{
		Tool: newTool(t, Query{DSN: dsn, Statement: "SELECT pg_sleep(:seconds)", Parameters: map[string]Param{"seconds": {Type: "number"}}, TimeoutS: 60}),
		Slow: `{"seconds":50}`,
	})
}

func postgresRows(t *testing.T, dsn string) {
	all := newTool(t, Query{DSN: dsn, Statement: "SELECT * FROM invoices WHERE id = :id", Parameters: map[string]Param{"id": {Type: "integer"}}})
	for arguments, want := range map[string]string{
		`{"id":1}`: `[[1,"Meridian",1250.50,"unpaid","2026-04-02",false,{"a":[1,2]},"6f1f7b0a-2a3c-4a53-9d0e-0123456789ab","2026-04-02 10:00:00+00","[2 bytes]","{a,b}"]],"row_count":1,"truncated":false}`,
		`{"id":2}`: `[[2,"Ärzte <e.V.>","NaN","unpaid","2026-04-20",false,null,null,null,null,null]],"row_count":1,"truncated":false}`,
		`{"id":9}`: `[],"row_count":0,"truncated":false}`,
	} {
		want = `{"columns":["id","customer","amount","status","due","paid","extra","ref","at","raw","tags"],"rows":` + want
		if got, err := call(t, all, arguments); err != nil || got != want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", arguments, got, err, want)
		}
	}
	typed := newTool(t, Query{
		DSN: dsn, Statement: "SELECT id FROM invoices WHERE due <= :before AND amount >= :least AND (:status::text IS NULL OR status = :status) AND due < date '2026-05-10' - :older_than_days::int ORDER BY 1 -- :not this",
		Parameters: map[string]Param{
			"before": {Type: "date", Default: "2026-12-31"}, "least": {Type: "number", Default: 0}, "status": {Type: "string"}, "older_than_days": {Type: "integer", Default: 30},
		},
	})
	for arguments, want := range map[string]string{
		`{}`: `[[1],[3]]`, `{"status":"unpaid"}`: `[[1]]`, `{"before":"2026-01-01"}`: `[[3]]`, `{"least":100.5,"older_than_days":1}`: `[[1],[2]]`, `{"status":"' OR 1=1 --"}`: `[]`,
	} {
		if got, err := call(t, typed, arguments); err != nil || !strings.Contains(got, `"rows":`+want+`,`) {
			t.Errorf("%s: got %s, %v; want rows %s", arguments, got, err, want)
		}
	}
}

func postgresOnlyReads(t *testing.T, dsn string) {
	for _, statement := range []string{
		"DELETE FROM invoices", "UPDATE invoices SET status = 'paid' RETURNING id", "INSERT INTO invoices(id) VALUES (9)", "DROP TABLE invoices",
		"CREATE TABLE x(a int)", "WITH d AS (DELETE FROM invoices RETURNING id) SELECT * FROM d", "SELECT nextval('nothing')", "TRUNCATE invoices",
	} {
		if got, err := call(t, newTool(t, Query{DSN: dsn, Statement: statement}), `{}`); !problem.Is(err, problem.ToolFailed) {
			t.Errorf("%s: got %s, %v; want a failure", statement, got, err)
		}
	}
	// What ends the transaction ends it for itself only: the session is read-only too.
	again := newTool(t, Query{DSN: dsn + "&pool_max_conns=1", Statement: "COMMIT"})
	_, _ = call(t, again, `{}`)
	if got, err := call(t, newTool(t, Query{DSN: dsn, Statement: "SELECT count(*), current_setting('transaction_read_only'), current_setting('default_transaction_read_only') FROM invoices"}), `{}`); err != nil || !strings.Contains(got, `[[3,"on","on"]]`) {
		t.Errorf("got %s, %v; want 3 rows and a read-only session", got, err)
	}
}

func postgresLimits(t *testing.T, dsn string) {
	few := newTool(t, Query{DSN: dsn + "&pool_max_conns=1", Statement: "SELECT generate_series(1, 50000000), repeat('x', 100)", MaxRows: 5})
	for range 3 { // the connection that was left in the middle must not be the next one's
		got, err := call(t, few, `{}`)
		if err != nil || !strings.HasSuffix(got, `"row_count":5,"truncated":true}`) {
			t.Fatalf("got %.200s, %v", got, err)
		}
	}
	wide := newTool(t, Query{DSN: dsn, Statement: "SELECT repeat('ä', 100000), repeat('y', 3000) FROM generate_series(1, 100)"})
	if got, err := call(t, wide, `{}`); err != nil || len(got) > tool.MaxOutput || !strings.Contains(got, `"truncated":true`) || !strings.Contains(got, "[200000 bytes in all]") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	slow := newTool(t, Query{DSN: dsn, Statement: "SELECT pg_sleep(30)", TimeoutS: 1})
	if _, err := call(t, slow, `{}`); !problem.Is(err, problem.ToolFailed) || !strings.Contains(problem.From(err).Detail, "stopped") {
		t.Errorf("a query without end: %v", err)
	}
}

func postgresErrors(t *testing.T, dsn string) {
	for name, c := range map[string]struct{ dsn, statement, says string }{
		"no column":    {dsn, "SELECT nothing FROM invoices", `column "nothing" does not exist`},
		"a bad value":  {dsn, "SELECT 1/0", "division by zero"},
		"no database":  {strings.Replace(dsn, "/test1?", "/secret_place?", 1), "SELECT 1", "could not be read"},
		"no server":    {"postgres://u:hush-hush@127.0.0.1:1/secret_place", "SELECT 1", "could not be read"},
		"no such user": {strings.Replace(dsn, "errand@", "secret_place@", 1), "SELECT 1", "could not be read"},
	} {
		made := newTool(t, Query{DSN: c.dsn, Statement: c.statement})
		_, err := call(t, made, `{}`)
		if detail := problem.From(err).Detail; !problem.Is(err, problem.ToolFailed) || !strings.Contains(detail, c.says) || strings.Contains(detail, "secret_place") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if made := newTool(t, Query{DSN: "postgres://u:hush-hush@127.0.0.1:1/d", Statement: "SELECT 1"}); made.Secrets()[0] != "hush-hush" {
		t.Errorf("secrets %v", made.Secrets())
	}
}
