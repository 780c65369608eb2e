package matrixtest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Twist is a way in which a homeserver answers with JSON that nobody expects, or with none.
type Twist struct {
	Name   string
	Change func(answer []byte) []byte
}

// Twists returns the ways: an answer that is something else as a whole, one that nests without end, and ones in which all values at a
// depth are something else.
func Twists() (all []Twist) {
	const endless = 200_000
	for _, whole := range []string{
		"", "null", " \n null", "[]", "[null]", `""`, "{}", "7", "true", "{",
		strings.Repeat("[", endless), strings.Repeat(`{"a":`, endless), strings.Repeat("[", endless) + strings.Repeat("]", endless),
	} {
		name := whole
		if len(name) > 10 {
			name = fmt.Sprintf("%.10s and so on, %d bytes", name, len(whole))
		}
		all = append(all, Twist{"all is " + name, func([]byte) []byte { return []byte(whole) }})
	}
	for depth := 1; depth <= 4; depth++ {
		for _, value := range []string{"null", "[]", "{}", "7", "-1e300", `"x"`, "[null]", `{"x": null}`} {
			all = append(all, Twist{fmt.Sprintf("at depth %d all is %s", depth, value), func(answer []byte) []byte {
				return twisted(answer, depth, json.RawMessage(value))
			}})
		}
	}
	return all
}

// twisted is JSON in which all values at a depth are this one.
func twisted(data json.RawMessage, depth int, value json.RawMessage) json.RawMessage {
	if depth == 0 {
		return value
	}
	var members map[string]json.RawMessage
	var elements []json.RawMessage
	switch {
	case json.Unmarshal(data, &members) == nil && members != nil:
		for k, v := range members {
			members[k] = twisted(v, depth-1, value)
		}
		out, _ := json.Marshal(members) // it is made of JSON
		return out
	case json.Unmarshal(data, &elements) == nil && elements != nil:
		for i, v := range elements {
			elements[i] = twisted(v, depth-1, value)
		}
		out, _ := json.Marshal(elements)
		return out
	}
	return data
}
