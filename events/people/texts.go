package people

import (
	"iter"
	"strconv"
	"strings"

	"moot/protocol"
	"moot/store"
)

// TextID names a text that somebody wrote. It stays in the log when the text is gone.
type TextID string

var texts = store.SharedBucket("texts")

// KeepText keeps a text that a person wrote beside the log, until they want to be forgotten. What belongs to nobody alone,
// such as the text of a motion, has no user and is kept for good. How long a text may be is for the caller to say.
func (r *Registry) KeepText(tx *store.Tx, user protocol.UserID, text string) TextID {
	n, t := Number(0), next(tx, "text")
	if user != "" {
		n = r.Number(tx, user)
	}
	tx.Put(texts, textKey(n, t), []byte(text))
	return textID(n, t)
}

// Text returns a text, and whether it is still there.
func (r *Registry) Text(tx *store.Tx, id TextID) (string, bool) {
	person, text, ok := strings.Cut(string(id), ".")
	n, err1 := strconv.ParseUint(person, 10, 64)
	t, err2 := strconv.ParseUint(text, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return "", false
	}
	v := tx.Get(texts, textKey(Number(n), t))
	return string(v), v != nil
}

// Texts goes through the texts that are kept of a person, in the order in which they were written.
func (r *Registry) Texts(tx *store.Tx, user protocol.UserID) iter.Seq2[TextID, string] {
	return func(yield func(TextID, string) bool) {
		n := r.Lookup(tx, user)
		if n == 0 {
			return
		}
		for k, v := range tx.Prefix(texts, n.key()+store.Sep) {
			if !yield(textID(n, store.ParseNumber(k)), string(v)) {
				return
			}
		}
	}
}

func textKey(n Number, text uint64) string { return store.Key(n.key(), store.Number(text)) }

func textID(n Number, text uint64) TextID {
	return TextID(n.String() + "." + strconv.FormatUint(text, 10))
}
