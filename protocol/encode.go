package protocol

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// The closed sets are written as {"kind": {…}}: a JSON object with one key that names the type.

var (
	bodies = newSet[Body](Message{}, Edit{}, Deletion{}, ReactionAdded{}, ReactionRemoved{}, ReactionSet{},
		MemberChange{}, MemberList{}, RoomChange{}, VoicePresence{}, Invocation{}, Receipt{}, Answer{}, DirectRoom{},
		Restrained{}, Gap{}, Timer{}, Internal{}, Sealed{}, Malformed{}, Other{})
	changes = newSet[Change](Renamed{}, Realiased{}, TopicChanged{}, EncryptionEnabled{}, Upgraded{},
		PowersChanged{}, OwnPowersChanged{}, Available{}, Outdated{})
	acts  = newSet[Act](Say{}, Whisper{}, Revise{}, React{}, Redact{})
	wants = newSet[Want](AskMembers{}, AskReactions{}, AskDirectRoom{}, AskJoin{}, AskLeave{}, AskRestrain{})
)

// set is a closed set of types by their names.
type set[I any] struct{ byName map[string]reflect.Type }

func newSet[I any](members ...I) set[I] {
	s := set[I]{map[string]reflect.Type{}}
	for _, m := range members {
		t := reflect.TypeOf(m)
		s.byName[t.Name()] = t
	}
	return s
}

func (s set[I]) encode(v I) (json.RawMessage, error) {
	t := reflect.TypeOf(v)
	if t == nil {
		return json.RawMessage("null"), nil
	}
	if s.byName[t.Name()] != t {
		return nil, fmt.Errorf("%w: %T", ErrUnknownBody, v)
	}
	return json.Marshal(map[string]any{t.Name(): v})
}

func (s set[I]) decode(data json.RawMessage) (v I, err error) {
	if len(data) == 0 || string(data) == "null" {
		return v, nil
	}
	var one map[string]json.RawMessage
	if err := json.Unmarshal(data, &one); err != nil {
		return v, err
	}
	if len(one) != 1 {
		return v, fmt.Errorf("%w: an object with %d keys", ErrUnknownBody, len(one))
	}
	for name, raw := range one {
		t, ok := s.byName[name]
		if !ok {
			return v, fmt.Errorf("%w: %q", ErrUnknownBody, name)
		}
		p := reflect.New(t)
		if err := json.Unmarshal(raw, p.Interface()); err != nil {
			return v, fmt.Errorf("%s: %w", name, err)
		}
		v = p.Elem().Interface().(I)
	}
	return v, nil
}

// KindOf returns the name of a body, an act, a want or a change, as it is written and logged.
func KindOf(v any) string {
	if v == nil {
		return "nothing"
	}
	return reflect.TypeOf(v).Name()
}

type plainEvent Event

// MarshalJSON writes the event with its body under the name of its kind.
func (e Event) MarshalJSON() ([]byte, error) {
	body, err := bodies.encode(e.Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		plainEvent
		Body json.RawMessage
	}{plainEvent(e), body})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Event) UnmarshalJSON(data []byte) (err error) {
	w := struct {
		*plainEvent
		Body json.RawMessage
	}{plainEvent: (*plainEvent)(e)}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	e.Body, err = bodies.decode(w.Body)
	return err
}

type plainAnswer Answer

// MarshalJSON writes the answer with its result under the name of its kind.
func (a Answer) MarshalJSON() ([]byte, error) {
	result, err := bodies.encode(a.Result)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		plainAnswer
		Result json.RawMessage
	}{plainAnswer(a), result})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Answer) UnmarshalJSON(data []byte) (err error) {
	w := struct {
		*plainAnswer
		Result json.RawMessage
	}{plainAnswer: (*plainAnswer)(a)}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	a.Result, err = bodies.decode(w.Result)
	return err
}

// MarshalJSON writes each change under the name of its kind.
func (c RoomChange) MarshalJSON() ([]byte, error) {
	raw := make([]json.RawMessage, len(c.Changes))
	for i, one := range c.Changes {
		var err error
		if raw[i], err = changes.encode(one); err != nil {
			return nil, err
		}
	}
	return json.Marshal(raw)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *RoomChange) UnmarshalJSON(data []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	c.Changes = nil
	for _, r := range raw {
		one, err := changes.decode(r)
		if err != nil {
			return err
		}
		c.Changes = append(c.Changes, one)
	}
	return nil
}

type plainOutgoing Outgoing

// MarshalJSON writes the outgoing with its act under the name of its kind.
func (o Outgoing) MarshalJSON() ([]byte, error) {
	act, err := acts.encode(o.Act)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		plainOutgoing
		Act json.RawMessage
	}{plainOutgoing(o), act})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Outgoing) UnmarshalJSON(data []byte) (err error) {
	w := struct {
		*plainOutgoing
		Act json.RawMessage
	}{plainOutgoing: (*plainOutgoing)(o)}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	o.Act, err = acts.decode(w.Act)
	return err
}

type plainAsk Ask

// MarshalJSON writes the ask with its want under the name of its kind.
func (a Ask) MarshalJSON() ([]byte, error) {
	want, err := wants.encode(a.Want)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		plainAsk
		Want json.RawMessage
	}{plainAsk(a), want})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Ask) UnmarshalJSON(data []byte) (err error) {
	w := struct {
		*plainAsk
		Want json.RawMessage
	}{plainAsk: (*plainAsk)(a)}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	a.Want, err = wants.decode(w.Want)
	return err
}
