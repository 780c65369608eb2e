package config

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"moot/protocol"
)

// document is a TOML text taken apart, of which each key's line can be told.
type document struct {
	meta   toml.MetaData
	values map[string]any
	first  map[string]toml.Primitive
}

// parse takes a text apart. The error is a toml.ParseError.
func parse(text string) (*document, error) {
	d := &document{}
	var err error
	if d.meta, err = toml.Decode(text, &d.first); err != nil {
		return nil, err
	}
	_, err = toml.Decode(text, &d.values)
	return d, err
}

// line returns the line of a key, 0 if that is not known.
func (d *document) line(path ...string) int {
	if n := d.lineOf(path); n != 0 || len(path) == 0 {
		return n
	}
	// A table that only stands before the dots of other keys has no line; the first of those has.
	for _, key := range d.meta.Keys() {
		if len(key) > len(path) && slices.Equal(key[:len(path)], path) {
			return d.lineOf(key)
		}
	}
	return d.line(path[:len(path)-1]...)
}

// lineOf asks the decoder, which tells lines only in errors: it is made to fail at the key.
func (d *document) lineOf(path []string) int {
	table := d.first
	for i := 0; i < len(path); i++ {
		value, ok := table[path[i]]
		if !ok {
			return 0
		}
		if i == len(path)-1 {
			var pe toml.ParseError
			if errors.As(d.meta.PrimitiveDecode(value, refuser{}), &pe) {
				return pe.Position.Line
			}
			return 0
		}
		table = nil
		if n, ok := strings.CutPrefix(path[i+1], numberMark); ok { // one of a list of tables
			var list []map[string]toml.Primitive
			at, err := strconv.Atoi(n)
			if err != nil || d.meta.PrimitiveDecode(value, &list) != nil || at >= len(list) {
				return 0
			}
			table = list[at]
			i++
			continue
		}
		if d.meta.PrimitiveDecode(value, &table) != nil {
			return 0
		}
	}
	return 0
}

// refuser is a value that cannot be decoded.
type refuser struct{}

var errRefused = errors.New("refused")

// UnmarshalTOML fails.
func (refuser) UnmarshalTOML(any) error { return errRefused }

// syntax makes a problem of what is wrong with the text as TOML. The message may quote the text; so on the line of a
// secret it is left out.
func syntax(text string, err error) Problem {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return Problem{Text: "cannot be read: " + err.Error()}
	}
	p := Problem{Line: pe.Position.Line, Text: strings.TrimSuffix(protocol.OneLine(pe.Message), ".")}
	lines := strings.Split(text, "\n")
	if p.Line >= 1 && p.Line <= len(lines) && namesSecret(lines[p.Line-1], pe.LastKey) {
		p.Text = errSecret.Error()
	}
	return p
}

// namesSecret tells whether a line of a file, or the last key that was read, is that of a secret.
func namesSecret(line, lastKey string) bool {
	for name := range secretKeys {
		if strings.Contains(line, name) || strings.Contains(lastKey, name) {
			return true
		}
	}
	return false
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
