package events

import (
	"encoding/json"
	"fmt"

	"moot/events/people"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// Draft is a fact that is about to be published.
type Draft struct {
	Kind string
	// People are those whom the fact is about, by their roles. A role is a key too, and [KeyPerson]
	// finds all of them.
	People map[string]protocol.UserID
	// Keys are what filters can match. They hold neither people nor their words.
	Keys map[string]string
	// Payload is encoded as JSON; nil means none. It holds neither people nor their words.
	Payload any
}

// publisher writes the log.
type publisher struct {
	people *people.Registry
	kinds  *kinds
}

// Publish adds a fact to the log and applies it. Scope, cause and time are those of the
// transaction. After an error the transaction fails, whether it is returned or not.
func (p *publisher) Publish(tx *store.Tx, d Draft) error {
	err := p.publish(tx, d)
	if err != nil {
		err = fmt.Errorf("publish %s: %w", protocol.Quoted(d.Kind, maxName), err)
		tx.Fail(err)
	}
	return err
}

func (p *publisher) publish(tx *store.Tx, d Draft) error {
	k, ok := p.kinds.byName[d.Kind]
	if !ok {
		return ErrUnknownKind
	}
	if err := checkDraft(tx, d); err != nil {
		return err
	}
	f := Fact{Time: tx.Now().Round(0), Kind: k.Name, Version: k.Version, Cause: tx.Cause(), Scope: tx.Scope()}
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
			f.People[role] = p.people.Number(tx, d.People[role])
		}
	}
	data, err := encodeFact(f)
	if err != nil {
		return err
	}
	if len(data) > MaxFact {
		return fmt.Errorf("%w: %d bytes, where %d are allowed", ErrTooLarge, len(data), MaxFact)
	}
	register(tx, f)
	tx.Append(data, f.terms()...)
	if err := tx.Err(); err != nil {
		return err
	}
	return p.kinds.fold(tx, k.Apply, f)
}

// checkDraft returns what in the draft, or in the transaction, cannot be indexed, or would come
// back from the log in another form.
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

// Describe says in a few words what a fact is about, for people who speak the language, without whom it
// names.
func (p *publisher) Describe(l say.Language, f Fact) string {
	if k, ok := p.kinds.byName[f.Kind]; ok && k.Describe != nil {
		if words := protocol.OneLine(k.Describe(l, f)); words != "" {
			return words
		}
	}
	words := f.Kind
	for _, key := range sortedKeys(f.Keys) {
		words += " " + key + "=" + protocol.Shorten(protocol.OneLine(f.Keys[key]), 80)
	}
	return words
}
