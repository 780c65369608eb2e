package bot

import (
	"fmt"
	"time"

	"moot/outbox"
	"moot/protocol"
)

// underWay is an adapter or an attempt that runs.
type underWay struct {
	what    string // "adapter", "send" or "ask"
	network protocol.Network
	room    protocol.RoomID // or the person; zero for an adapter
	key     protocol.Key
	since   time.Time
}

func (u underWay) String() string {
	if u.key == "" {
		return fmt.Sprintf("the %s of %s", u.what, u.network)
	}
	return fmt.Sprintf("a %s on %s in %s (key %s)", u.what, u.network, u.room, u.key)
}

func attemptUnderWay(a outbox.Attempt) underWay {
	u := underWay{what: "send", network: a.Network, key: a.Key}
	if a.Ask != nil {
		u.what, u.room = "ask", outbox.AnswerEvent(*a.Ask, 0, protocol.Answer{}).Room
	} else if u.room = a.Out.Room; u.room == "" {
		if w, ok := a.Out.Act.(protocol.Whisper); ok {
			u.room = protocol.RoomID(w.User)
		}
	}
	return u
}
