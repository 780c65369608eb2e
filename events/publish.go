package events

import (
	"encoding/json"
	"fmt"

	"moot/protocol"
	"moot/store"
)

// Draft is a fact that is about to be published.
type Draft struct {
	Kind string
	// People are those whom the fact is about, by their roles. A role is a key too, and [KeyPerson] finds all of them.
	People map[string]protocol.UserID
	// Keys are what filters can match. They hold neither people nor their words.
	Keys map[string]string
	// Payload is encoded as JSON; nil means none. It holds neither people nor their words.
	Payload any
}

var known = store.SharedBucket("kinds")

// Publish adds a fact to the log and applies it. Scope, cause and time are those of the transaction. After an error the
// transaction fails, whether it is returned or not.
func (b *Bus) Publish(tx *store.Tx, d Draft) error {
	err := b.publish(tx, d)
	if err != nil {
		err = fmt.Errorf("publish %s: %w", protocol.Quoted(d.Kind, maxName), err)
		tx.Fail(err)
	}
	return err
}

func (b *Bus) publish(tx *store.Tx, d Draft) error {
	k, ok := b.kinds[d.Kind]
	if !ok {
		return ErrUnknownKind
	}
	if err := checkDraft(tx, d); err != nil {
		return err
	}
	f := Fact{Time: tx.Now(), Kind: k.Name, Version: k.Version, Cause: tx.Cause(), Scope: tx.Scope()}
	if d.Payload != nil {
		payload, err := json.Marshal(d.Payload)
		if err != nil {
			return fmt.Errorf("payload: %w", err)
		}
		if string(payload) != "null" {
			f.Payload = payload
		}
	}
	if len(d.Keys) > 0 {
		f.Keys = d.Keys
	}
	if len(d.People) > 0 {
		f.People = make(map[string]Number, len(d.People))
		for _, role := range sortedKeys(d.People) {
			f.People[role] = b.Number(tx, d.People[role])
		}
	}
	data, err := encodeFact(f)
	if err != nil {
		return err
	}
	if len(data) > MaxFact {
		return fmt.Errorf("%w: %d bytes, where %d are allowed", ErrTooLarge, len(data), MaxFact)
	}
	if !tx.Has(known, f.Kind) {
		tx.Put(known, f.Kind, nil)
	}
	tx.Append(store.Record{Index: f.indexed(), Data: data})
	if err := tx.Err(); err != nil {
		return err
	}
	return b.fold(tx, k.Apply, f)
}

// fold calls the Apply or Drop of a kind.
func (b *Bus) fold(tx *store.Tx, fold func(*store.Tx, Fact) error, f Fact) error {
	if b.folding {
		return ErrNested
	}
	if fold == nil {
		return nil
	}
	b.folding = true
	defer func() { b.folding = false }()
	f.Seq = 0
	if err := fold(tx.In(f.Scope), f); err != nil {
		return err
	}
	return tx.Err()
}

// checkDraft tells whether everything in the draft, and in the transaction, can be indexed and comes back from the log as
// it went in.
func checkDraft(tx *store.Tx, d Draft) error {
	if n := len(d.Keys) + len(d.People); n > MaxKeys {
		return fmt.Errorf("%w: %d keys and people, where %d are allowed", ErrIndex, n, MaxKeys)
	}
	for _, key := range sortedKeys(d.Keys) {
		if err := checkName("key", key); err != nil {
			return err
		}
		if reserved(key) {
			return fmt.Errorf("%w: key %q is reserved", ErrIndex, key)
		}
		if err := checkValue(key, d.Keys[key]); err != nil {
			return err
		}
	}
	for _, role := range sortedKeys(d.People) {
		if err := checkName("role", role); err != nil {
			return err
		}
		if _, twice := d.Keys[role]; twice || reserved(role) {
			return fmt.Errorf("%w: role %q is reserved or a key as well", ErrIndex, role)
		}
		if err := checkValue(role, string(d.People[role])); err != nil {
			return err
		}
	}
	for _, of := range [...]struct{ name, value string }{
		{KeyScope, string(tx.Scope())}, {"room of the cause", string(tx.Cause().Room)}, {"cause", string(tx.Cause().Event)},
	} {
		if of.value == "" {
			continue
		}
		if err := checkValue(of.name, of.value); err != nil {
			return err
		}
	}
	return nil
}

// Describe says in a few words what a fact is about, for people, without whom it names.
func (b *Bus) Describe(f Fact) string {
	if k, ok := b.kinds[f.Kind]; ok && k.Describe != nil {
		if words := protocol.OneLine(k.Describe(f)); words != "" {
			return words
		}
	}
	words := f.Kind
	for _, key := range sortedKeys(f.Keys) {
		words += " " + key + "=" + protocol.Shorten(protocol.OneLine(f.Keys[key]), 80)
	}
	return words
}

// Kinds returns all kinds that were ever published, in order.
func (b *Bus) Kinds(tx *store.Tx) []string {
	var kinds []string
	for k := range tx.Range(known, "", "") {
		kinds = append(kinds, k)
	}
	return kinds
}
