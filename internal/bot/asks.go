package bot

import (
	"fmt"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// waits reports whether the ask has not ended.
func (s *step) waits(ask protocol.Key) bool {
	_, ok := s.c.Queued(ask)
	return ok
}

// await prepares a room for the list of members that is about to be asked for.
func (s *step) await(a outbox.Attempt) {
	if a.Ask == nil {
		return
	}
	if _, ok := a.Ask.Want.(protocol.AskMembers); !ok {
		return
	}
	answer := outbox.AnswerEvent(*a.Ask, a.Try.N, protocol.Answer{}).Ref()
	err := s.run(protocol.Scope(answer.Room), answer, "rooms", func(tx *store.Tx) error {
		return rooms.Await(tx, answer.Room, answer.Event)
	})
	if err != nil { // the list is then taken in all the same, as of the moment when it comes
		s.Log.Error("a room could not be prepared for its list of members", "room", answer.Room, "err", err)
	}
}

// checkAnswer returns why ev is no answer to the ask; nil if it is one. Such an answer is a fault, which the asking feature
// hears of: to refuse only its event would leave the feature waiting.
func checkAnswer(ask protocol.Ask, ev protocol.Event) error {
	result := ev.Body.(protocol.Answer).Result
	fits := result == nil
	switch ask.Want.(type) {
	case protocol.AskMembers:
		list, ok := result.(protocol.MemberList)
		fits = ok && list.Part == 0 && list.Last
	case protocol.AskReactions:
		_, fits = result.(protocol.ReactionSet)
	case protocol.AskRole:
		_, fits = result.(protocol.RoleHolders)
	case protocol.AskRestrain:
		_, fits = result.(protocol.Restrained)
	case protocol.AskTask:
		_, fits = result.(protocol.TaskDone)
	}
	err := ev.Check(ask.Network())
	if err == nil && !fits {
		err = fmt.Errorf("%s is no answer to %s", protocol.KindOf(result), protocol.KindOf(ask.Want))
	}
	if err == nil {
		return nil
	}
	return &protocol.SendError{Final: true, Err: fmt.Errorf("the answer was refused: %w", err)}
}
