package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// kinds are the closed sets: the types of each by their names. A member is written as {"kind": {…}}: a JSON object with one
// key that names the type.
var kinds = map[reflect.Type]map[string]reflect.Type{
	reflect.TypeFor[Body](): byName(Message{}, Edit{}, Deletion{}, ReactionAdded{}, ReactionRemoved{}, ReactionSet{}, PollResponse{},
		MemberChange{}, MemberList{}, RoomChange{}, VoicePresence{}, Invocation{}, Receipt{}, Answer{},
		Restrained{}, RoleHolders{}, TaskDone{}, Order{}, Collected{}, Gap{}, Timer{}, Internal{}, Sealed{}, Malformed{}, Other{}),
	reflect.TypeFor[Change](): byName(Renamed{}, Realiased{}, TopicChanged{}, EncryptionEnabled{}, Upgraded{},
		PowersChanged{}, OwnPowersChanged{}, Available{}, Outdated{}),
	reflect.TypeFor[Act]():  byName(Say{}, Whisper{}, Revise{}, React{}, StartPoll{}, EndPoll{}),
	reflect.TypeFor[Want](): byName(AskMembers{}, AskReactions{}, AskRole{}, AskJoin{}, AskLeave{}, AskRestrain{}, AskTask{}),
}

func byName(members ...any) map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, m := range members {
		types[KindOf(m)] = reflect.TypeOf(m)
	}
	return types
}

// KindOf returns the name of a body, an act, a want or a change, as it is written and logged.
func KindOf(v any) string {
	if v == nil {
		return "nothing"
	}
	return reflect.TypeOf(v).Name()
}

// member is a member of the closed set I, or none, as JSON.
type member[I any] struct{ it I }

func (m member[I]) MarshalJSON() ([]byte, error) {
	t := reflect.TypeOf(m.it)
	switch {
	case t == nil:
		return []byte("null"), nil
	case kinds[reflect.TypeFor[I]()][t.Name()] != t:
		return nil, fmt.Errorf("%w: %T", ErrUnknownBody, m.it)
	}
	return json.Marshal(map[string]any{t.Name(): m.it})
}

func (m *member[I]) UnmarshalJSON(data []byte) error {
	if m.quickly(data) {
		return nil
	}
	var one map[string]json.RawMessage
	if err := json.Unmarshal(data, &one); err != nil || one == nil {
		return err
	}
	if len(one) != 1 {
		return fmt.Errorf("%w: an object with %d keys", ErrUnknownBody, len(one))
	}
	for name, raw := range one {
		t, ok := kinds[reflect.TypeFor[I]()][name]
		if !ok {
			return fmt.Errorf("%w: %q", ErrUnknownBody, name)
		}
		p := reflect.New(t)
		if err := json.Unmarshal(raw, p.Interface()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.it = p.Elem().Interface().(I)
	}
	return nil
}

// quickly reads a member as MarshalJSON writes it, without a map, and reports whether it could.
func (m *member[I]) quickly(data []byte) bool {
	rest, began := bytes.CutPrefix(data, []byte(`{"`))
	name, rest, named := bytes.Cut(rest, []byte(`":`))
	raw, ends := bytes.CutSuffix(rest, []byte(`}`))
	t := kinds[reflect.TypeFor[I]()][string(name)]
	if !began || !named || !ends || t == nil {
		return false
	}
	p := reflect.New(t)
	if json.Unmarshal(raw, p.Interface()) != nil { // also where another key follows
		return false
	}
	m.it = p.Elem().Interface().(I)
	return true
}

// MarshalJSON writes the event with its body under the name of its kind.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	return json.Marshal(struct {
		plain
		Body member[Body]
	}{plain(e), member[Body]{e.Body}})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Event) UnmarshalJSON(data []byte) error {
	type plain Event
	w := struct {
		*plain
		Body member[Body]
	}{plain: (*plain)(e)}
	err := json.Unmarshal(data, &w)
	e.Body = w.Body.it
	return err
}

// MarshalJSON writes the answer with its result under the name of its kind.
func (a Answer) MarshalJSON() ([]byte, error) {
	type plain Answer
	return json.Marshal(struct {
		plain
		Result member[Body]
	}{plain(a), member[Body]{a.Result}})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Answer) UnmarshalJSON(data []byte) error {
	type plain Answer
	w := struct {
		*plain
		Result member[Body]
	}{plain: (*plain)(a)}
	err := json.Unmarshal(data, &w)
	a.Result = w.Result.it
	return err
}

// MarshalJSON writes each change under the name of its kind.
func (c RoomChange) MarshalJSON() ([]byte, error) {
	all := make([]member[Change], len(c.Changes))
	for i, one := range c.Changes {
		all[i].it = one
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *RoomChange) UnmarshalJSON(data []byte) error {
	var all []member[Change]
	err := json.Unmarshal(data, &all)
	c.Changes = nil
	for _, one := range all {
		c.Changes = append(c.Changes, one.it)
	}
	return err
}

// oneAct is an act under the name of its kind, as member writes it. What is said is written more often than anything else, and
// this is done in one go, without a map.
type oneAct struct {
	Say       *Say       `json:",omitempty"`
	Whisper   *Whisper   `json:",omitempty"`
	Revise    *Revise    `json:",omitempty"`
	React     *React     `json:",omitempty"`
	StartPoll *StartPoll `json:",omitempty"`
	EndPoll   *EndPoll   `json:",omitempty"`
}

func actOf(a Act) (*oneAct, error) {
	switch a := a.(type) {
	case nil:
		return nil, nil
	case Say:
		return &oneAct{Say: &a}, nil
	case Whisper:
		return &oneAct{Whisper: &a}, nil
	case Revise:
		return &oneAct{Revise: &a}, nil
	case React:
		return &oneAct{React: &a}, nil
	case StartPoll:
		return &oneAct{StartPoll: &a}, nil
	case EndPoll:
		return &oneAct{EndPoll: &a}, nil
	}
	return nil, fmt.Errorf("%w: %T", ErrUnknownBody, a)
}

// oneWant is a want under the name of its kind, as oneAct is an act.
type oneWant struct {
	AskMembers   *AskMembers   `json:",omitempty"`
	AskReactions *AskReactions `json:",omitempty"`
	AskRole      *AskRole      `json:",omitempty"`
	AskJoin      *AskJoin      `json:",omitempty"`
	AskLeave     *AskLeave     `json:",omitempty"`
	AskRestrain  *AskRestrain  `json:",omitempty"`
	AskTask      *AskTask      `json:",omitempty"`
}

func wantOf(w Want) (*oneWant, error) {
	switch w := w.(type) {
	case nil:
		return nil, nil
	case AskMembers:
		return &oneWant{AskMembers: &w}, nil
	case AskReactions:
		return &oneWant{AskReactions: &w}, nil
	case AskRole:
		return &oneWant{AskRole: &w}, nil
	case AskJoin:
		return &oneWant{AskJoin: &w}, nil
	case AskLeave:
		return &oneWant{AskLeave: &w}, nil
	case AskRestrain:
		return &oneWant{AskRestrain: &w}, nil
	case AskTask:
		return &oneWant{AskTask: &w}, nil
	}
	return nil, fmt.Errorf("%w: %T", ErrUnknownBody, w)
}

// MarshalJSON writes the outgoing with its act under the name of its kind.
func (o Outgoing) MarshalJSON() ([]byte, error) {
	type plain Outgoing
	act, err := actOf(o.Act)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		plain
		Act *oneAct
	}{plain(o), act})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Outgoing) UnmarshalJSON(data []byte) error {
	type plain Outgoing
	w := struct {
		*plain
		Act member[Act]
	}{plain: (*plain)(o)}
	err := json.Unmarshal(data, &w)
	o.Act = w.Act.it
	return err
}

// MarshalJSON writes the ask with its want under the name of its kind.
func (a Ask) MarshalJSON() ([]byte, error) {
	type plain Ask
	want, err := wantOf(a.Want)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		plain
		Want *oneWant
	}{plain(a), want})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Ask) UnmarshalJSON(data []byte) error {
	type plain Ask
	w := struct {
		*plain
		Want member[Want]
	}{plain: (*plain)(a)}
	err := json.Unmarshal(data, &w)
	a.Want = w.Want.it
	return err
}
