package votes

import (
	"encoding/json"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// board is where a vote is shown. It is no projection: it says what was sent, which a replay does not send again.
type board struct {
	Key      protocol.Key `json:",omitempty"` // of the message that is edited
	Edited   time.Time    `json:",omitzero"`
	Reposted bool         `json:",omitempty"` // because it was deleted
	// Mentioned is whether the target was mentioned already, in the room from which the vote was carried over too.
	Mentioned bool         `json:",omitempty"`
	Notice    protocol.Key `json:",omitempty"` // of what the target was told in private
	Untold    bool         `json:",omitempty"` // it did not reach them
	Ask       protocol.Key `json:",omitempty"` // about the reactions, when it closes
	Missed    protocol.Key `json:",omitempty"` // about those that the bot may have missed
}

var boards = store.ScopedBucket("votes-boards")

func boardOf(tx *store.Tx, room protocol.RoomID, id uint64) (b board) {
	if data := tx.Get(boards, voteKey(room, id)); data != nil {
		_ = json.Unmarshal(data, &b) // it was written here
	}
	return b
}

func putBoard(tx *store.Tx, room protocol.RoomID, id uint64, b board) {
	data, err := json.Marshal(b)
	if err != nil {
		panic(err) // strings, times and bools can be encoded
	}
	tx.Put(boards, voteKey(room, id), data)
}

// post says that a vote is open, in the message that is edited from then on. The target is mentioned the first time only.
func (f *Feature) post(tx *store.Tx, room protocol.RoomID, v Vote) error {
	b := boardOf(tx, room, v.ID)
	first := b.Key == "" && !b.Mentioned
	if b.Key != "" {
		f.unmarkMessage(tx, room, v.ID) // the reactions went with the message; the ballots that they made stand
	}
	b.Mentioned = true
	key, err := outbox.Send(tx, protocol.Outgoing{
		Room: room, Place: v.Place, Expires: outbox.Never,
		Act: protocol.Say{Text: f.message(tx, room, v, first), Controls: f.controls(room, v)},
	})
	if err != nil {
		return err
	}
	b.Key, b.Edited = key, tx.Now().Round(0)
	putBoard(tx, room, v.ID, b)
	return nil
}

// touch has the message of a vote brought up to date, not sooner than its network bears it.
func (f *Feature) touch(tx *store.Tx, room protocol.RoomID, v Vote) {
	name := timerEdit + v.Number()
	if !tx.Timer(name).IsZero() {
		return
	}
	at := boardOf(tx, room, v.ID).Edited.Add(f.edits(room))
	if at.Before(tx.Now()) {
		at = tx.Now()
	}
	tx.SetTimer(name, at, nil)
}

// edit brings the message of a vote up to date, and posts it where none stands.
func (f *Feature) edit(tx *store.Tx, room protocol.RoomID, v Vote) error {
	if info, _ := rooms.Get(tx, room); !info.Joined() {
		return nil // it is brought up to date when the bot is back
	}
	b := boardOf(tx, room, v.ID)
	switch tx.Sent(b.Key).State {
	case store.StateSent, store.StateQueued, store.StateAmbiguous:
	default:
		if !v.Open() {
			return nil
		}
		return f.post(tx, room, v)
	}
	b.Edited = tx.Now().Round(0)
	putBoard(tx, room, v.ID, b)
	_, err := outbox.Send(tx, protocol.Outgoing{
		Room: room, Place: v.Place, Expires: outbox.Never,
		Act: protocol.Revise{Original: b.Key, Text: f.message(tx, room, v, false), Controls: f.controls(room, v)},
	})
	return err
}

// repost shows a vote once more whose message was deleted.
func (f *Feature) repost(tx *store.Tx, room protocol.RoomID, v Vote) error {
	b := boardOf(tx, room, v.ID)
	if b.Reposted || !v.Open() {
		return nil
	}
	b.Reposted = true
	putBoard(tx, room, v.ID, b)
	return f.post(tx, room, v)
}

// voteOn returns the open vote that a message of the room shows.
func voteOn(tx *store.Tx, room protocol.RoomID, message protocol.EventID) (Vote, bool) {
	for v := range OpenIn(tx, room) {
		key := boardOf(tx, room, v.ID).Key
		if key == "" {
			continue
		}
		if ref := tx.Sent(key).Ref; ref.Event == message && ref.Event != "" {
			return v, true
		}
	}
	return Vote{}, false
}

// announce says something in a room.
func (f *Feature) announce(tx *store.Tx, room protocol.RoomID, place protocol.PlaceID, text protocol.Text) error {
	_, err := outbox.Send(tx, protocol.Outgoing{Room: room, Place: place, Expires: outbox.Never, Act: protocol.Say{Text: text}})
	return err
}

// How long it takes until it is looked whether the target was told.
const (
	firstLook  = time.Minute
	secondLook = outbox.DefaultExpiry + time.Minute
)

// tellTarget tells somebody in private that a vote is about them.
func (f *Feature) tellTarget(tx *store.Tx, room protocol.RoomID, v Vote) error {
	user := f.userOf(tx, v.Target)
	if user == "" || v.Appeal {
		return nil
	}
	info, _ := rooms.Get(tx, room)
	what := "challenge you: if it passes, you cannot use my features there until you are restored"
	if v.Type == Restore {
		what = "restore you"
	}
	b := boardOf(tx, room, v.ID)
	text := protocol.Join("In ", protocol.Quoted(info.Title(), 0), " a vote is open to ", what, ". It was opened by ",
		f.name(tx, room, v.Opener), ", for this reason: ", protocol.Quoted(f.text(tx, v.Text), MaxReason), "\n",
		"It runs until ", protocol.Moment(v.Deadline), ". You cannot vote on it, but you can answer, for all to read: ",
		protocol.Code("vote reply "+v.Number()+" TEXT --in "+info.Word()), ".")
	if v.Type == Challenge {
		text = protocol.Join(text, " If it passes you can appeal once a week: ", protocol.Code("vote appeal REASON --in "+info.Word()), ".")
	}
	key, err := outbox.Send(tx, protocol.Outgoing{Act: protocol.Whisper{User: user, Text: text, Controls: f.answerControl(room, v)}})
	if err != nil {
		return err
	}
	b.Notice = key
	putBoard(tx, room, v.ID, b)
	tx.SetTimer(timerNotice+v.Number(), tx.Now().Add(firstLook), nil)
	return nil
}

// notice looks whether the target was told.
func (f *Feature) notice(tx *store.Tx, room protocol.RoomID, v Vote) error {
	b := boardOf(tx, room, v.ID)
	switch tx.Sent(b.Notice).State {
	case store.StateSent, store.StateAmbiguous:
		return nil
	case store.StateQueued:
		tx.SetTimer(timerNotice+v.Number(), tx.Now().Add(secondLook), nil)
		return nil
	}
	b.Untold = true
	putBoard(tx, room, v.ID, b)
	f.touch(tx, room, v)
	return nil
}

// remind says that a vote soon ends.
func (f *Feature) remind(tx *store.Tx, room protocol.RoomID, v Vote) error {
	if v.Status != Running || held(tx, room).is() {
		return nil
	}
	return f.announce(tx, room, v.Place, protocol.Join(f.titleOf(tx, room, v), " is open until ", protocol.Moment(v.Deadline), ". ",
		count(v.Count.Cast, "ballot"), " so far of ", v.Size, " who can vote."))
}
