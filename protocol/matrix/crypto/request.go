//go:build goolm

package crypto

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol/matrix"
)

// requests are the keys to messages that were asked for, each with the sender of the message, who was asked.
type requests struct {
	mu    sync.Mutex
	asked map[request]time.Time
}

type request struct {
	user    id.UserID
	session id.SessionID
}

// of reports whether somebody was asked for the key of a session in this run.
func (r *requests) of(user id.UserID, session id.SessionID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, yes := r.asked[request{user, session}]
	return yes
}

// first notes that somebody is asked for a key, and reports whether they were not before.
func (r *requests) first(user id.UserID, session id.SessionID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		r.asked = map[request]time.Time{}
	}
	key := request{user, session}
	_, before := r.asked[key]
	if !before {
		bounded(r.asked)[key] = time.Now()
	}
	return !before
}

// request asks the devices of the sender of a message for its key, once in a run, in the background (Client-Server API,
// "Sharing keys between devices"): the one that has it may have failed to send it, or sent it to somebody else.
func (m *Machine) request(ev *event.Event) {
	content := ev.Content.AsEncrypted()
	if ev.Sender == m.client.UserID || !m.requests.first(ev.Sender, content.SessionID) {
		return
	}
	room, sender, session := ev.RoomID, ev.Sender, content.SessionID
	key := content.SenderKey // deprecated, and older programs look for it
	m.later(func(ctx context.Context) error {
		return m.olm.SendRoomKeyRequest(ctx, room, key, session, "", map[id.UserID][]id.DeviceID{sender: {"*"}})
	})
}

// decline answers a request to verify the bot by emoji or QR code, for which there is nobody: the program of the other side
// would wait for it.
func (m *Machine) decline(user id.UserID, device id.DeviceID, txn id.VerificationTransactionID) {
	if device == "" || txn == "" || user == m.client.UserID && device == m.client.DeviceID {
		return
	}
	m.later(func(ctx context.Context) error {
		content := &event.Content{Parsed: &event.VerificationCancelEventContent{
			ToDeviceVerificationEvent: event.ToDeviceVerificationEvent{TransactionID: txn},
			Code:                      event.VerificationCancelCodeUser, Reason: matrix.NoVerification,
		}}
		_, err := m.client.SendToDevice(ctx, event.ToDeviceVerificationCancel, &mautrix.ReqSendToDevice{
			Messages: map[id.UserID]map[id.DeviceID]*event.Content{user: {device: content}},
		})
		return err
	})
}
