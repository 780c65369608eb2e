package votes_test

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"moot/internal/say"
	"moot/protocol"
	"moot/votes/words"
)

// shows is the message of a vote that is open, in each language: it says when that closes, in a line of its own.
var shows = func() *regexp.Regexp {
	var closes []string
	for _, l := range append(say.Languages(), say.Pseudo) {
		begin, _, _ := strings.Cut(words.In(l).Plain("closes", say.Span("Runs", time.Hour), say.Part("When", nil)), "1")
		closes = append(closes, regexp.QuoteMeta(begin))
	}
	return regexp.MustCompile("(?m)^(" + strings.Join(closes, "|") + ")")
}()

// board returns the last message of the bot in a room that shows a vote.
func (w *town) board(room protocol.RoomID) protocol.EventID {
	var best protocol.EventID
	n := 0
	for id, m := range w.messages {
		var i int
		fmt.Sscanf(string(id), "$m%d", &i)
		if m.room == room && !m.deleted && shows.MatchString(m.text) && i > n {
			best, n = id, i
		}
	}
	return best
}

// poll returns the last poll of the bot in a room.
func (w *town) poll(room protocol.RoomID) (best protocol.EventID) {
	n := 0
	for id, m := range w.messages {
		var i int
		fmt.Sscanf(string(id), "$m%d", &i)
		if m.room == room && m.poll != nil && i > n {
			best, n = id, i
		}
	}
	return best
}

// answers lets somebody choose in the last poll of a room: options by their labels.
func (w *town) answers(room protocol.RoomID, who string, labels ...string) protocol.EventID {
	w.t.Helper()
	id := w.poll(room)
	if id == "" {
		w.t.Fatal("there is no poll")
	}
	r := protocol.PollResponse{Target: id}
	for _, label := range labels {
		value := label // what the poll does not offer
		for _, o := range w.messages[id].poll.Options {
			if o.Label == label {
				value = o.Value
			}
		}
		r.Answers = append(r.Answers, value)
	}
	return w.admit(protocol.Event{Room: room, Sender: person(who), Private: private(room), Body: r})
}
