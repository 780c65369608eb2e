package services

import (
	"encoding/json"
	"maps"

	"moot/internal/hide"
	"moot/protocol"
	"moot/store"
)

// looked are the input and the results of a job, with what the service hides in them. The error may have what is to be hidden.
func looked(s *Spec, j Job, more ...any) (all map[string]any, secrets *hide.Secrets, err error) {
	data, err := json.Marshal(handed{Job: j.Key, Service: j.Service, Input: j.Input, Results: j.Results})
	if err != nil {
		return nil, nil, err
	}
	v, err := hide.Read(data)
	if err != nil {
		return nil, nil, err
	}
	all, _ = v.(map[string]any)
	return all, hide.Find(s.Redact, append(more, v)...), nil
}

// shown returns the input of a job as JSON, and a text about it, without what the service hides, wherever it stands. Of a service
// that the configuration has no more nobody knows what that is, and nothing is shown.
func (f *Feature) shown(j Job, about string) (input, text string) {
	s := f.byName[j.Service]
	if s == nil {
		return hide.Hidden, about
	}
	all, secrets, err := looked(s, j)
	if err != nil {
		return hide.Hidden, hide.Hidden
	}
	maps.DeleteFunc(all, func(k string, v any) bool { return k == "key" || k == "task" || k == "job" || k == "service" })
	if secrets.Found() {
		// The line that was typed has it too, and a pattern may have found it.
		for _, k := range []string{"text", "groups"} {
			if _, ok := all[k]; ok {
				all[k] = hide.Hidden
			}
		}
	}
	data, err := json.Marshal(secrets.Value(all))
	if err != nil {
		return hide.Hidden, hide.Hidden
	}
	return string(data), secrets.Text(about)
}

// Shown returns an event as it is shown to who looks at a dead letter: without what a service hides in what a task has written, or a
// collector has found.
func (f *Feature) Shown(tx *store.Tx, ev protocol.Event) protocol.Event {
	name, is := ev.Room.Network().Service()
	if !is {
		return ev
	}
	s := f.byName[name]
	switch b := ev.Body.(type) {
	case protocol.Answer:
		scope := protocol.Scope(ev.Room)
		j, _ := getJob(tx, scope, protocol.Key(tx.Get(asks, store.Key(scope, string(b.Ask)))))
		done, _ := b.Result.(protocol.TaskDone)
		b.Fault, done.Output = without(s, j, b.Fault, done.Output)
		if b.Result != nil {
			b.Result = done
		}
		ev.Body = b
	case protocol.Collected:
		b.Text, b.Data = without(s, Job{}, b.Text, b.Data)
		ev.Body = b
	}
	return ev
}

// without returns a text and JSON about a job without what its service hides; nil stands for a service that is not there.
func without(s *Spec, j Job, text string, data json.RawMessage) (string, json.RawMessage) {
	none := json.RawMessage(`"` + hide.Hidden + `"`)
	if s == nil {
		return hide.Hidden, none
	}
	var v any
	if len(data) > 0 {
		var err error
		if v, err = hide.Read(data); err != nil {
			return hide.Hidden, none
		}
	}
	_, secrets, err := looked(s, j, v)
	if err != nil {
		return hide.Hidden, none
	}
	if secrets.Found() && len(data) > 0 {
		if data, err = json.Marshal(secrets.Value(v)); err != nil {
			return hide.Hidden, none
		}
	}
	return secrets.Text(text), data
}
