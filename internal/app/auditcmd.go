package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"errand/client"
	"errand/internal/api/native"
	"errand/internal/audit"
	"errand/internal/store/sqlite"
)

type auditGroup struct {
	List   auditList   `cmd:"" default:"withargs" help:"Show who did what, oldest first."`
	Verify auditVerify `cmd:"" help:"Check that the log is what was written: a server's, or one on disk."`
}

type auditList struct {
	remote
	Since   time.Duration `help:"How far back, for example 168h; 0 = all." default:"24h" placeholder:"DURATION"`
	Action  string        `help:"Only this: key.created, approval.decided, tool.changed …" placeholder:"ACTION"`
	Actor   string        `help:"Only what this key did: id or name." placeholder:"KEY"`
	Target  string        `help:"Only what was done to this: run_…, key_…" placeholder:"ID"`
	Project string        `help:"Another project, or * for all; needs the scope admin." placeholder:"PROJECT"`
}

// auditPage is how many lines are fetched at once: the most that the API gives.
const auditPage = 100

// Run shows all lines that were asked for, page by page.
func (c *auditList) Run(ctx context.Context, p *process) error {
	asked := client.AuditQuery{Action: c.Action, Actor: c.Actor, Target: c.Target, Project: c.Project}
	if c.Since > 0 {
		asked.Since = p.now().Add(-c.Since)
	}
	all := []client.AuditLine{}
	for after := ""; ; {
		page, err := c.client(p).Audit.List(ctx, asked, after, auditPage)
		if err != nil {
			return err
		}
		all = append(all, page.Data...)
		if after = page.Next; !page.HasMore || after == "" {
			break
		}
	}
	return c.show(p, all, func() {
		rows := [][]string{{"line", "when", "who", "from", "did", "to"}}
		for i := range all {
			line := &all[i]
			who := "the server"
			if line.Actor != nil {
				who = oneLine(line.Actor.Name+" ("+line.Actor.ID+")", 60)
			}
			rows = append(rows, []string{fmt.Sprint(line.Seq), line.At.Local().Format(time.DateTime), who, orDash(line.From), line.Action, oneLine(line.Target, 80)})
		}
		p.table(rows)
	})
}

type auditVerify struct {
	remote
	Data string `help:"Check the log in this data directory, which no server has open, and ask none." placeholder:"DIR"`
	Head string `help:"What an earlier check said of the last line: finds out whether lines have gone from the end, or all was written anew." placeholder:"N:HASH"`
}

// Help is the command's longer help.
func (auditVerify) Help() string {
	return `Exit code 1 when a line is not what was written; the answer names the first one. Keep the head that
it prints somewhere else, and give it to the next check.`
}

// Run looks through the log.
func (c *auditVerify) Run(ctx context.Context, p *process) error {
	verdict, err := c.verdict(ctx, p)
	if err != nil {
		return err
	}
	err = c.show(p, verdict.Raw, func() {
		if verdict.Wrong != nil {
			p.print("%s %s.\nThe %s before it are what was written.\n", p.red("WRONG"), verdict.Wrong.Message, plural(int(verdict.Lines), "line"))
			return
		}
		p.print("%s %s: all are what was written.\n", p.green("ok"), plural(int(verdict.Lines), "line"))
		if verdict.Head != "" {
			p.print("Head: %s\n", verdict.Head)
		}
	})
	if err == nil && !verdict.Valid {
		return quiet(exitFailed)
	}
	return err
}

func (c *auditVerify) verdict(ctx context.Context, p *process) (v client.AuditVerdict, err error) {
	if c.Data == "" {
		return c.client(p).Audit.Verify(ctx, c.Head)
	}
	known, err := audit.ParseHead(c.Head)
	if err != nil {
		return v, usage(err)
	}
	if _, err := os.Stat(filepath.Join(c.Data, sqlite.FileName)); err != nil {
		return v, usage(fmt.Errorf("--data: there is no database in %s: %w", c.Data, err))
	}
	store, err := openRecorded(ctx, sqlite.Config{Dir: c.Data, Now: p.now})
	if err != nil {
		return v, err
	}
	found, err := store.log().Verify(ctx, known)
	if err = errors.Join(err, store.Close()); err != nil {
		return v, err
	}
	body, err := native.ShowVerdict(&found)
	if err != nil {
		return v, err
	}
	return v, v.UnmarshalJSON(body)
}
