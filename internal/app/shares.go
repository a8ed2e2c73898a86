package app

import (
	"context"

	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/node"
	"errand/internal/run"
	"errand/internal/store/postgres"
)

// fellows are the nodes that share the budgets.
type fellows struct {
	*node.Keeper
	leases *postgres.Leases
}

// Living names all nodes whose lease has not been taken from them.
func (f fellows) Living(ctx context.Context) ([]string, error) { return f.leases.Living(ctx) }

// shareBudgets makes the budgets those of all nodes, where there are several, and links
// that sign in too.
func (a *assembly) shareBudgets() {
	if c := a.cluster; c != nil {
		c.shares = auth.NewShares(auth.SharesConfig{
			Budgets: a.budgets, Nodes: fellows{c.node, c.leases}, All: c.store.RowsOf, Logger: a.logger,
		})
		a.keys.StoreLinks()
	}
}

// noted tells the ledger what of this node's spending is on disk: the rest of it is lost
// if the node dies, and the others must be able to tell.
type noted struct {
	recorded
	ledger *auth.Ledger
}

// Submit writes the commit.
func (n noted) Submit(c run.Commit, done func(error)) {
	if len(c.Spend) == 0 {
		n.recorded.Submit(c, done)
		return
	}
	n.recorded.Submit(c, func(err error) {
		if err == nil {
			n.ledger.Booked(c.Spend)
		}
		done(err)
	})
}

// engineLog is the store as the engine has it.
func (a *assembly) engineLog() engine.Log {
	if a.cluster == nil {
		return a.store
	}
	return noted{a.store, a.ledger}
}
