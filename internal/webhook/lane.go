package webhook

import (
	"context"
	"time"
)

const (
	// laneWidth is how many attempts one endpoint gets at once, and narrow how many
	// while it does not answer well: so that whoever holds its callers keeps few of
	// the workers that all share.
	laneWidth, narrow = 4, 1
	// slowAnswer is from when on an endpoint does not answer well.
	slowAnswer = time.Second
	// lanePatience is how long a delivery waits for room in its lane before it
	// gives its worker back.
	lanePatience = 50 * time.Millisecond
	// crowdWait is how much later a delivery is tried that found no room.
	crowdWait = 4 * time.Second
)

// lane counts the attempts at one endpoint. It lives while there are some.
type lane struct {
	busy, waiting int
	slow          bool
	room          chan struct{}
}

func (l *lane) full() bool { return l.busy >= laneWidth || l.slow && l.busy >= narrow }

// enter waits a moment for room. Who has entered must leave.
func (h *Hub) enter(ctx context.Context, key string) (leave func(slow bool), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lanes[key]
	if l == nil {
		l = &lane{room: make(chan struct{}, 1)}
		h.lanes[key] = l
	}
	h.await(ctx, l)
	if l.full() {
		h.tidy(key, l)
		return nil, false
	}
	l.busy++
	return func(slow bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		l.busy, l.slow = l.busy-1, slow
		select {
		case l.room <- struct{}{}:
		default:
		}
		h.tidy(key, l)
	}, true
}

// await lets go of the lock until there is room, or there was none for too long. For
// one that does not answer well nobody waits.
func (h *Hub) await(ctx context.Context, l *lane) {
	timer := time.NewTimer(lanePatience)
	defer timer.Stop()
	for over := false; !over && l.full() && !l.slow; {
		l.waiting++
		h.mu.Unlock()
		select {
		case <-l.room:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			over = true
		}
		h.mu.Lock()
		l.waiting--
	}
}

// tidy forgets a lane that nobody uses.
func (h *Hub) tidy(key string, l *lane) {
	if l.busy == 0 && l.waiting == 0 && h.lanes[key] == l {
		delete(h.lanes, key)
	}
}
