package matrix

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// What a homeserver sends, read so that a value of the wrong type is as good as none: people write events.

// word is a string; a value of another type reads as none.
type word string

// UnmarshalJSON implements json.Unmarshaler.
func (w *word) UnmarshalJSON(data []byte) error {
	*w = ""
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, (*string)(w))
	}
	return nil
}

// words is an array of strings; a value of another type reads as none.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(data []byte) error {
	*w = nil
	var all []word
	if len(data) == 0 || data[0] != '[' || json.Unmarshal(data, &all) != nil {
		return nil
	}
	for _, one := range all {
		if one != "" {
			*w = append(*w, string(one))
		}
	}
	return nil
}

// number is a whole number; a value of another type, or out of range, reads as none. Servers have let power levels pass
// that are written as strings (Client-Server API, m.room.power_levels), so these count.
type number struct {
	value int64
	given bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(data []byte) error {
	*n = number{}
	data = bytes.Trim(data, `"`)
	var i int64
	if json.Unmarshal(data, &i) == nil && string(data) != "null" {
		*n = number{i, true}
		return nil
	}
	var f float64
	if json.Unmarshal(data, &f) == nil && string(data) != "null" && f > -1<<53 && f < 1<<53 {
		*n = number{int64(f), true}
	}
	return nil
}

// yes is a boolean; a value of another type reads as false.
type yes bool

// UnmarshalJSON implements json.Unmarshaler.
func (y *yes) UnmarshalJSON(data []byte) error {
	*y = string(data) == "true"
	return nil
}

// into reads the value of an object into a struct or a map, and returns whether it is one. Otherwise v stays as it is.
//
// Names are taken exactly. encoding/json also takes "Sender" for "sender", the last one that stands there; servers know no
// such thing and pass it on, and whoever writes it would be who they like.
func into[T any](data object, v *T) bool {
	return exactly(data, reflect.ValueOf(v).Elem())
}

func exactly(data object, v reflect.Value) bool {
	var all map[string]object
	if data = bytes.TrimSpace(data); len(data) == 0 || data[0] != '{' {
		return false
	}
	if v.Kind() != reflect.Struct {
		fresh := reflect.New(v.Type())
		if json.Unmarshal(data, fresh.Interface()) != nil {
			return false
		}
		v.Set(fresh.Elem())
		return true
	}
	v.SetZero()
	if json.Unmarshal(data, &all) != nil {
		return false
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		value, given := all[name]
		if name == "" || name == "-" || !given {
			continue
		}
		field := v.Field(i)
		if field.Kind() == reflect.Struct && !field.Addr().Type().Implements(unmarshaler) {
			exactly(value, field)
			continue
		}
		if json.Unmarshal(value, field.Addr().Interface()) != nil {
			field.SetZero() // a value of the wrong type is as good as none
		}
	}
	return true
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// object is the value of an object, read by into when it is needed.
type object = json.RawMessage

// list is an array of objects, which are read one by one.
type list struct {
	Events []object `json:"events"`
}

// syncResponse is a response to /sync (Client-Server API, section "Syncing"). A server that writes one section wrong, and would
// with each request for the same, keeps the bot from the others no more than one that says nothing.
type syncResponse struct {
	NextBatch   string             `json:"next_batch"`
	AccountData section[list]      `json:"account_data"`
	ToDevice    section[list]      `json:"to_device"`
	DeviceLists object             `json:"device_lists"`
	KeyCounts   object             `json:"device_one_time_keys_count"`
	Fallback    object             `json:"device_unused_fallback_key_types"`
	Rooms       section[roomLists] `json:"rooms"`
}

// roomLists are the rooms of a response, by their ids.
type roomLists struct {
	Join   section[map[string]object] `json:"join"`
	Invite section[map[string]object] `json:"invite"`
	Leave  section[map[string]object] `json:"leave"`
}

// section is a part of a response. One that cannot be read holds nothing.
type section[T any] struct {
	it  T
	bad bool // whether it cannot be read
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *section[T]) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &s.it) != nil {
		*s = section[T]{bad: true}
	}
	return nil
}

// unread names the sections that cannot be read.
func (s *syncResponse) unread() (names []string) {
	for name, bad := range map[string]bool{
		"account_data": s.AccountData.bad, "to_device": s.ToDevice.bad, "rooms": s.Rooms.bad,
		"join": s.Rooms.it.Join.bad, "invite": s.Rooms.it.Invite.bad, "leave": s.Rooms.it.Leave.bad,
	} {
		if bad {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// syncRoom is a room in the join or leave section, or an invitation.
type syncRoom struct {
	Summary struct {
		Joined number `json:"m.joined_member_count"`
	} `json:"summary"`
	State list `json:"state"`
	// What is the state at the end of the timeline, where the server tells that instead: then State is empty. Servers began
	// with the second name. Nil where it is not told.
	After      *object `json:"state_after"`
	AfterEarly *object `json:"org.matrix.msc4222.state_after"`
	Timeline   struct {
		list
		Limited   yes  `json:"limited"`
		PrevBatch word `json:"prev_batch"`
	} `json:"timeline"`
	Invite list `json:"invite_state"`
}

// rawEvent is an event as a server sends it. Its content is read by what it is.
type rawEvent struct {
	ID       word   `json:"event_id"`
	Type     word   `json:"type"`
	Sender   word   `json:"sender"`
	Key      *word  `json:"state_key"`
	Stamp    number `json:"origin_server_ts"`
	Redacts  word   `json:"redacts"`
	Content  object `json:"content"`
	Unsigned struct {
		Transaction word   `json:"transaction_id"`
		Before      object `json:"prev_content"`
		Redacted    object `json:"redacted_because"`
		Age         number `json:"age"` // in milliseconds, by the clock of the server
	} `json:"unsigned"`
	Before object `json:"prev_content"` // where some servers put it
	undone bool   // see chapter.resolve
}

// redacted reports whether the event was redacted. A null says that it was not: so it is written where there is nothing.
func (ev *rawEvent) redacted() bool {
	return len(ev.Unsigned.Redacted) > 0 && string(ev.Unsigned.Redacted) != "null"
}

// readEvents reads the events of a list. What is no event at all stays in its place as one without a type.
func readEvents(objects []object) []*rawEvent {
	events := make([]*rawEvent, 0, len(objects))
	for _, o := range objects {
		events = append(events, readEvent(o))
	}
	return events
}

func readEvent(o object) *rawEvent {
	ev := new(rawEvent)
	into(o, ev)
	return ev
}

// is reports whether it is a state event of a type. An event without a state key is none, nor one that was undone.
func (ev *rawEvent) is(kind event.Type) bool {
	return ev.Key != nil && string(ev.Type) == kind.Type && !ev.undone
}

// state returns the state key; zero where it has none or an empty one.
func (ev *rawEvent) state() string {
	if ev.Key == nil {
		return ""
	}
	return string(*ev.Key)
}

// before returns the content that the state event replaces; nil where the server does not say.
func (ev *rawEvent) before() object {
	if len(ev.Unsigned.Before) > 0 {
		return ev.Unsigned.Before
	}
	return ev.Before
}

// time returns when the server of the sender says that it happened; zero where it says nothing that can be.
func (ev *rawEvent) time() time.Time { return ev.Stamp.time() }

// time returns the time of a stamp; zero where it is none.
func (n number) time() time.Time {
	const last = 253402300799000 // the end of the year 9999, beyond which no time can be written down
	if !n.given || n.value <= 0 || n.value > last {
		return time.Time{}
	}
	return time.UnixMilli(n.value).UTC()
}

// event makes the event of mautrix that encryption works with: a sealed message, or a change of membership. Its content is
// read here and as everything else: the library takes nothing of a content in which one value is of the wrong type.
func (ev *rawEvent) event(room id.RoomID) *event.Event {
	e := &event.Event{
		ID: id.EventID(ev.ID), Type: event.NewEventType(string(ev.Type)), Sender: id.UserID(ev.Sender), RoomID: room,
		Timestamp: ev.Stamp.value, Content: event.Content{VeryRaw: ev.Content},
	}
	if ev.Key == nil {
		e.Type.Class, e.Content.Parsed = event.MessageEventType, sealedContent(ev.Content)
		return e
	}
	key := string(*ev.Key)
	e.StateKey, e.Type.Class, e.Content.Parsed = &key, event.StateEventType, membership(ev.Content)
	if before := ev.before(); len(before) > 0 {
		e.Unsigned.PrevContent = &event.Content{VeryRaw: before, Parsed: membership(before)}
	}
	return e
}

// sealedContent reads what m.room.encrypted says but for the relation, which stands in clear; see withRelation.
func sealedContent(content object) *event.EncryptedEventContent {
	var c struct {
		Algorithm  word `json:"algorithm"`
		SenderKey  word `json:"sender_key"`
		Device     word `json:"device_id"`
		Session    word `json:"session_id"`
		Ciphertext word `json:"ciphertext"`
	}
	into(content, &c)
	return &event.EncryptedEventContent{
		Algorithm: id.Algorithm(c.Algorithm), SenderKey: id.SenderKey(c.SenderKey), SessionID: id.SessionID(c.Session),
		//lint:ignore SA1019 nothing else names the device
		DeviceID:         id.DeviceID(c.Device),
		MegolmCiphertext: []byte(c.Ciphertext),
	}
}

// withRelation is content that was sealed, with the relation that stands beside it in clear, for servers, unless it has one of
// its own.
func withRelation(content, sealed object) object {
	var inner, outer map[string]object
	if !into(content, &inner) || !into(sealed, &outer) {
		return content
	}
	const relates = "m.relates_to"
	isObject := func(o object) bool { return len(o) > 0 && o[0] == '{' }
	if isObject(inner[relates]) || !isObject(outer[relates]) {
		return content
	}
	inner[relates] = outer[relates]
	with, err := json.Marshal(inner)
	if err != nil {
		return content
	}
	return with
}

func membership(content object) *event.MemberEventContent {
	var c struct {
		Membership word `json:"membership"`
	}
	into(content, &c)
	return &event.MemberEventContent{Membership: event.Membership(c.Membership)}
}
