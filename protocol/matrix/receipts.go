package matrix

import (
	"context"
	"net/http"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"moot/internal/pause"
)

// receiptGap is how far apart the receipts of a room are: those of a busy one go to all its servers.
const receiptGap = 5 * time.Second

// handled notes up to which events the rooms of a response are handled: what waits for its key is not.
func (r *run) handled(upTo map[id.RoomID]id.EventID) {
	r.mu.Lock()
	for room, event := range upTo {
		r.read[room] = event
	}
	r.mu.Unlock()
	if len(upTo) > 0 {
		select {
		case r.unread <- struct{}{}:
		default:
		}
	}
}

// tellRead sends read receipts, until the context ends. They are a courtesy: one that fails is not tried again.
func (r *run) tellRead(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-r.unread:
		case <-ctx.Done():
			return
		}
		r.mu.Lock()
		upTo := r.read
		r.read = map[id.RoomID]id.EventID{}
		r.mu.Unlock()
		wait := receiptGap
		for room, event := range upTo {
			path := mautrix.ClientURLPath{"v3", "rooms", room, "receipt", "m.read", event}
			if err := r.request(ctx, http.MethodPost, path, nil, struct{}{}, nil); err != nil {
				r.log.Debug("a read receipt could not be sent", "room", roomID(room), "err", err)
				wait = max(wait, retryAfter(err))
			}
		}
		_ = pause.Sleep(ctx, wait)
	}
}
