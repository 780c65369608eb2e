package events

import (
	"encoding/json"
	"slices"

	"moot/events/people"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// Known returns the names of the kinds that can be published, in order. Unlike [Bus.Kinds] it does not
// depend on what has happened, so it tells nobody anything.
func (p *publisher) Known() []string { return sortedKeys(p.kinds.byName) }

// Own says to the person of a number what a fact that names them holds about them, in a sentence in their
// language; empty where its kind does not.
func (p *publisher) Own(l say.Language, tx *store.Tx, f Fact, n people.Number) string {
	if k, ok := p.kinds.byName[f.Kind]; ok && k.Own != nil {
		return protocol.OneLine(k.Own(l, tx, f, n))
	}
	return ""
}

// Raw returns the payload of a fact as it is stored, but for the numbers of people and of their texts:
// these are counted over all rooms. It is empty where there is none.
func (p *publisher) Raw(f Fact) string {
	var payload any
	if f.Payload == nil || json.Unmarshal(f.Payload, &payload) != nil {
		return ""
	}
	data, err := json.Marshal(without(payload, p.kinds.byName[f.Kind].Numbers))
	if err != nil {
		return "" // what was decoded can be encoded
	}
	return string(data)
}

// without returns a decoded value without the fields of these names, at any depth.
func without(value any, fields []string) any {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			if slices.Contains(fields, name) {
				delete(value, name)
				continue
			}
			value[name] = without(inner, fields)
		}
	case []any:
		for i, inner := range value {
			value[i] = without(inner, fields)
		}
	}
	return value
}
