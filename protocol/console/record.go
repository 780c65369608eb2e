package console

import (
	"encoding/json"
	"fmt"
	"time"

	"moot/protocol"
)

// record is one line of the log.
type record struct {
	Pos  uint64
	At   time.Time
	Room protocol.RoomID // zero for what concerns the world and no room
	By   protocol.UserID // zero where nobody did it
	Deed deed
}

func (r record) id() protocol.EventID { return eventID(r.Pos) }

// deed is what a record says has happened.
type deed interface{ kind() string }

type (
	// personMade brings a person into the world.
	personMade struct {
		User protocol.UserID `json:"user"`
		Name string          `json:"name"`
		Bot  bool            `json:"bot,omitempty"`
	}
	// personNamed gives a person another display name. The rooms learn it by memberSet.
	personNamed struct {
		User protocol.UserID `json:"user"`
		Name string          `json:"name"`
	}
	// clockMoved is where the clock stands after somebody has moved it.
	clockMoved struct {
		By time.Duration `json:"by"`
	}
	// membersFail switches the reading of member lists off and on.
	membersFail struct {
		On bool `json:"on"`
	}

	roomMade struct {
		roomState
		Direct protocol.UserID `json:"direct,omitempty"` // whose private conversation it is; zero means a room
	}
	// memberSet says what somebody is to the room from here on.
	memberSet struct {
		User       protocol.UserID     `json:"user"`
		Membership protocol.Membership `json:"membership"`
		Profile    bool                `json:"profile,omitempty"` // only the name is new
		Name       string              `json:"name,omitempty"`
		Reason     string              `json:"reason,omitempty"`
		// State is how the room stands when the bot joins it. It is kept here so that a delivery of the join says
		// the same however late it is read.
		State *roomState `json:"state,omitempty"`
	}
	roomNamed struct {
		Name string `json:"name"`
	}
	topicSet struct {
		Topic string `json:"topic"`
	}
	upgraded struct {
		Successor protocol.RoomID `json:"successor"`
	}
	powersSet struct {
		Moderators []protocol.UserID `json:"moderators"`
	}
	voiceSet struct {
		Call     protocol.PlaceID `json:"call,omitempty"` // zero means out of the call
		Deafened bool             `json:"deafened,omitempty"`
		AFK      bool             `json:"afk,omitempty"`
	}

	// said is a message. The bot's have Rich and a Key.
	said struct {
		Text    string           `json:"text"`
		Rich    protocol.Text    `json:"rich,omitempty"`
		ReplyTo protocol.EventID `json:"reply_to,omitempty"`
		Key     protocol.Key     `json:"key,omitempty"`
	}
	edited struct {
		Target protocol.EventID `json:"target"`
		Text   string           `json:"text"`
		Rich   protocol.Text    `json:"rich,omitempty"`
		Key    protocol.Key     `json:"key,omitempty"`
	}
	// deleted removes a message or a reaction.
	deleted struct {
		Target protocol.EventID `json:"target"`
		Reason string           `json:"reason,omitempty"`
	}
	reacted struct {
		Target   protocol.EventID `json:"target"`
		Reaction string           `json:"reaction"`
		Key      protocol.Key     `json:"key,omitempty"`
	}
	// again delivers an event to the bot once more.
	again struct {
		Target protocol.EventID `json:"target"`
	}
)

// roomState is how a room begins, and what one learns about it by joining.
type roomState struct {
	Name       string            `json:"name,omitempty"`
	Topic      string            `json:"topic,omitempty"`
	Moderators []protocol.UserID `json:"moderators,omitempty"`
}

func (personMade) kind() string  { return "person" }
func (personNamed) kind() string { return "nick" }
func (clockMoved) kind() string  { return "clock" }
func (membersFail) kind() string { return "members-fail" }
func (roomMade) kind() string    { return "room" }
func (memberSet) kind() string   { return "member" }
func (roomNamed) kind() string   { return "name" }
func (topicSet) kind() string    { return "topic" }
func (upgraded) kind() string    { return "upgrade" }
func (powersSet) kind() string   { return "powers" }
func (voiceSet) kind() string    { return "voice" }
func (said) kind() string        { return "say" }
func (edited) kind() string      { return "edit" }
func (deleted) kind() string     { return "delete" }
func (reacted) kind() string     { return "react" }
func (again) kind() string       { return "again" }

// deeds reads the data of each kind.
var deeds = map[string]func(json.RawMessage) (deed, error){
	personMade{}.kind():  read[personMade],
	personNamed{}.kind(): read[personNamed],
	clockMoved{}.kind():  read[clockMoved],
	membersFail{}.kind(): read[membersFail],
	roomMade{}.kind():    read[roomMade],
	memberSet{}.kind():   read[memberSet],
	roomNamed{}.kind():   read[roomNamed],
	topicSet{}.kind():    read[topicSet],
	upgraded{}.kind():    read[upgraded],
	powersSet{}.kind():   read[powersSet],
	voiceSet{}.kind():    read[voiceSet],
	said{}.kind():        read[said],
	edited{}.kind():      read[edited],
	deleted{}.kind():     read[deleted],
	reacted{}.kind():     read[reacted],
	again{}.kind():       read[again],
}

func read[D deed](data json.RawMessage) (deed, error) {
	var d D
	err := json.Unmarshal(data, &d)
	return d, err
}

// line is a record as it is written.
type line struct {
	Pos  uint64          `json:"pos"`
	At   time.Time       `json:"at"`
	Room protocol.RoomID `json:"room,omitempty"`
	By   protocol.UserID `json:"by,omitempty"`
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// encode returns the record as a line with its newline.
func (r record) encode() ([]byte, error) {
	data, err := json.Marshal(r.Deed)
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(line{r.Pos, r.At, r.Room, r.By, r.Deed.kind(), data})
	return append(out, '\n'), err
}

func decode(text []byte) (record, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return record{}, err
	}
	read, ok := deeds[l.Kind]
	if !ok {
		return record{}, fmt.Errorf("unknown kind %q", l.Kind)
	}
	d, err := read(l.Data)
	if err != nil {
		return record{}, fmt.Errorf("%s: %w", l.Kind, err)
	}
	return record{l.Pos, l.At, l.Room, l.By, d}, nil
}
