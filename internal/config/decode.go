package config

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"moot/internal/span"
	"moot/protocol"
)

// maxFile is the longest file in bytes.
const maxFile = 256 << 10

// Decode reads a text over the defaults. The name of the file is for the problems, which are the only errors: Problems.
func Decode(text, file string) (Config, error) {
	c := Default()
	if err := decodeInto(&c, text, file); err != nil {
		return Config{}, err
	}
	return c, nil
}

func decodeInto(c *Config, text, file string) error {
	text = strings.TrimPrefix(text, "\uFEFF") // some editors write a byte order mark
	switch {
	case len(text) > maxFile:
		return Problems{{File: file, Text: fmt.Sprintf("it has %d bytes, and a configuration at most %d", len(text), maxFile)}}
	case !utf8.ValidString(text):
		return Problems{{File: file, Text: "it is not UTF-8 text"}}
	}
	doc, err := parse(text)
	if err != nil {
		p := syntax(text, err)
		p.File = file
		return Problems{p}
	}
	d := decoder{doc: doc, file: file}
	d.table(reflect.ValueOf(c).Elem(), nil, doc.values)
	d.check(c)
	if len(d.problems) == 0 {
		c.odd = d.odd
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return d.problems
}

// decoder puts the values of a document into a Config and notes what is wrong with them.
type decoder struct {
	doc      *document
	file     string
	problems Problems
	at       [][]string // where each of them is
	odd      Problems   // what is read other than it stands there
}

// complain notes a problem at a key, where there is none yet: what is wrong with a value that could not be read in its place
// says nothing.
func (d *decoder) complain(path []string, format string, args ...any) {
	if len(d.problems) < maxProblems && !d.faulty(path...) {
		text := protocol.Shorten(protocol.OneLine(fmt.Sprintf(format, args...)), 500)
		d.problems = append(d.problems, Problem{d.file, d.doc.line(path...), text})
		d.at = append(d.at, path)
	}
}

// faulty reports whether there is a problem at a key, or in a section.
func (d *decoder) faulty(path ...string) bool {
	return slices.ContainsFunc(d.at, func(at []string) bool { return len(at) >= len(path) && slices.Equal(at[:len(path)], path) })
}

// tidy returns a value without white space around its texts, and notes where there was any.
func (d *decoder) tidy(path []string, value any) any {
	switch v := value.(type) {
	case string:
		t := trimmed(v)
		if t != v {
			d.odd = append(d.odd, Problem{d.file, d.doc.line(path...), key(path) + ": there is white space around " + describe(t) + ", which is left out"})
		}
		return t
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = d.tidy(path, v[i])
		}
		return out
	}
	return value
}

// key names a key as people find it in the file.
func key(path []string) string {
	name := protocol.Shorten(protocol.OneLine(path[len(path)-1]), 60)
	if len(path) == 1 {
		return name
	}
	section := protocol.Shorten(protocol.OneLine(strings.Join(names(path[:len(path)-1]), ".")), 60)
	if strings.HasPrefix(path[len(path)-2], numberMark) {
		return name + " in [[" + section + "]]"
	}
	return name + " in [" + section + "]"
}

// fields returns the fields of a table by their keys.
func fields(table reflect.Type) map[string]reflect.StructField {
	byKey := map[string]reflect.StructField{}
	for f := range fieldsOf(table) {
		byKey[f.Tag.Get("toml")] = f
	}
	return byKey
}

func fieldsOf(t reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && !yield(f) {
				return
			}
		}
	}
}

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	configType   = reflect.TypeFor[Config]()
)

// secretKeys are the names of all keys that are secrets.
var secretKeys = func() map[string]bool {
	names := map[string]bool{}
	var look func(reflect.Type)
	look = func(t reflect.Type) {
		for name, f := range fields(t) {
			switch {
			case f.Type == secretType:
				names[name] = true
			case f.Type.Kind() == reflect.Struct:
				look(f.Type)
			case isTables(f):
				look(f.Type.Elem())
			}
		}
	}
	look(configType)
	return names
}()

// isSection tells whether a field is a table of further keys.
func isSection(f reflect.StructField) bool {
	return f.Type.Kind() == reflect.Struct && f.Type != secretType
}

func (d *decoder) table(into reflect.Value, path []string, values map[string]any) {
	known := fields(into.Type())
	for _, name := range sortedKeys(values) {
		at := append(slices.Clone(path), name)
		f, ok := known[name]
		if !ok {
			_, isTable := values[name].(map[string]any)
			if len(names(path)) < len(path) {
				d.complain(at, "%s", unknownIn(at, known))
				continue
			}
			d.complain(at, "%s", unknown(at, isTable))
			continue
		}
		if isTables(f) {
			d.tables(into.FieldByIndex(f.Index), at, values[name])
			continue
		}
		if isSection(f) {
			if table, ok := values[name].(map[string]any); ok {
				d.table(into.FieldByIndex(f.Index), at, table)
			} else {
				d.complain(at, "%s is a section: write [%s], and its keys below it", name, strings.Join(at, "."))
			}
			continue
		}
		if err := set(into.FieldByIndex(f.Index), f, d.tidy(at, values[name])); err != nil {
			d.complain(at, "%s: %v", key(at), err)
		}
	}
}

// unknown says that there is no such key, and which one was probably meant.
func unknown(path []string, isTable bool) string {
	name := path[len(path)-1]
	here, everywhere, sections := places(configType, nil, strings.Join(path[:len(path)-1], "."))
	if isTable && len(path) == 1 {
		text := fmt.Sprintf("there is no section [%s]", protocol.Shorten(name, 60))
		if near := nearest(name, sections); near != "" {
			return text + fmt.Sprintf("; did you mean [%s]?", near)
		}
		return text + "; the sections are [" + strings.Join(sections, "], [") + "]"
	}
	text := "there is no key " + key(path)
	if near := nearest(name, here); near != "" {
		return text + fmt.Sprintf("; did you mean %s?", near)
	}
	if at, ok := everywhere[name]; ok {
		if at == "" {
			return text + "; it belongs at the top, before all sections"
		}
		return text + fmt.Sprintf("; it belongs to [%s]", at)
	}
	return text + "; there are " + strings.Join(here, ", ")
}

// unknownIn says the same of a key of one of several tables.
func unknownIn(path []string, known map[string]reflect.StructField) string {
	keys := slices.Sorted(maps.Keys(known))
	text := "there is no key " + key(path)
	if near := nearest(path[len(path)-1], keys); near != "" {
		return text + fmt.Sprintf("; did you mean %s?", near)
	}
	return text + "; there are " + strings.Join(keys, ", ")
}

// places returns the keys of one section, the section of each key, and all sections. The top is the section "".
func places(t reflect.Type, path []string, section string) (here []string, everywhere map[string]string, sections []string) {
	everywhere = map[string]string{}
	at := strings.Join(path, ".")
	for f := range fieldsOf(t) {
		name := f.Tag.Get("toml")
		if !isSection(f) {
			everywhere[name] = at
			if at == section {
				here = append(here, name)
			}
			continue
		}
		sections = append(sections, name)
		h, e, s := places(f.Type, append(slices.Clone(path), name), section)
		here, sections = append(here, h...), append(sections, s...)
		for k, v := range e {
			if _, ok := everywhere[k]; !ok {
				everywhere[k] = v
			}
		}
	}
	return here, everywhere, sections
}

// set puts the value of a key into its field, or says what is to be written instead.
func set(into reflect.Value, f reflect.StructField, value any) error {
	switch {
	case f.Type == secretType:
		s, err := setSecret(value)
		if err == nil {
			into.Set(reflect.ValueOf(s))
		}
		return err
	case f.Type == durationType:
		return setDuration(into, f, value)
	}
	switch f.Type.Kind() {
	case reflect.String:
		s, ok := value.(string)
		if !ok {
			return fmt.Errorf(`expected a text in quotes, such as %q, and not %s`, cmp.Or(f.Tag.Get("like"), example(into)), describe(value))
		}
		if words := strings.Fields(f.Tag.Get("oneof")); len(words) > 0 && !slices.Contains(words, s) && (s != "" || into.String() != "") { // what is "" if left out may be so
			return fmt.Errorf("expected one of %s, and not %s", quoteAll(words), describe(value))
		}
		into.SetString(s)
	case reflect.Bool:
		b, ok := value.(bool)
		if !ok {
			return fmt.Errorf("expected true or false, without quotes, and not %s", describe(value))
		}
		into.SetBool(b)
	case reflect.Int:
		n, ok := value.(int64)
		if !ok {
			return fmt.Errorf("expected a whole number without quotes, such as %s, and not %s", example(into), describe(value))
		}
		if err := inRange(f, n, parseInt, formatInt); err != nil {
			return err
		}
		into.SetInt(n)
	case reflect.Slice:
		return setList(into, f, value)
	default:
		panic("config: no way to decode a " + f.Type.String()) // found by the test of Default
	}
	return nil
}

func setDuration(into reflect.Value, f reflect.StructField, value any) error {
	s, ok := value.(string)
	if !ok {
		return fmt.Errorf("expected a duration in quotes with its unit, such as %q, and not %s", example(into), describe(value))
	}
	d, err := ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%s is not a duration: %w", describe(value), err)
	}
	if err := inRange(f, d, ParseDuration, quoteDuration); err != nil {
		return err
	}
	into.SetInt(int64(d))
	return nil
}

func setList(into reflect.Value, f reflect.StructField, value any) error {
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf(`expected a list of texts in brackets, such as %s, and not %s`, example(into), describe(value))
	}
	out := reflect.MakeSlice(f.Type, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf(`expected a list of texts, such as %s, and not one with %s in it`, example(into), describe(v))
		}
		out = reflect.Append(out, reflect.ValueOf(s).Convert(f.Type.Elem()))
	}
	into.Set(out)
	return nil
}

// inRange compares a value with the bounds in the tags of its field.
func inRange[T cmp.Ordered](f reflect.StructField, v T, parse func(string) (T, error), format func(T) string) error {
	for _, bound := range []string{"min", "max"} {
		tag, ok := f.Tag.Lookup(bound)
		if !ok {
			continue
		}
		limit, err := parse(tag)
		switch {
		case err != nil:
			panic("config: " + f.Name + ": " + err.Error()) // found by the test of Default
		case bound == "min" && v < limit:
			return fmt.Errorf("%s is too little, it has to be at least %s", format(v), format(limit))
		case bound == "max" && v > limit:
			return fmt.Errorf("%s is too much, it may be at most %s", format(v), format(limit))
		}
	}
	return nil
}

func parseInt(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

func quoteDuration(d time.Duration) string { return strconv.Quote(span.Format(d)) }

// example writes what stands in a field before it is set, which is its default.
func example(field reflect.Value) string {
	switch {
	case field.Type() == durationType:
		return span.Format(time.Duration(field.Int()))
	case field.Kind() == reflect.Slice:
		words := make([]string, field.Len())
		for i := range words {
			words[i] = field.Index(i).String()
		}
		return "[" + quoteAll(words) + "]"
	}
	return fmt.Sprint(field.Interface())
}

// describe says what a value of a file is.
func describe(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(protocol.Shorten(protocol.OneLine(v), 60))
	case bool:
		return strconv.FormatBool(v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case time.Time:
		return "a date"
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprintf("a %T", value)
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return strings.Join(quoted, ", ")
}
