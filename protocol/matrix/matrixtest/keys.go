package matrixtest

import (
	"maps"
	"net/http"
	"slices"
)

// What devices need in order to speak in secret: the server keeps the keys that they upload, hands them out, and carries
// what they send each other. It looks into none of it.

// device is what a device has uploaded, and what waits for it.
type device struct {
	keys     map[string]any // zero where there are none yet
	once     map[string]any // one-time keys that nobody has claimed
	fallback map[string]any
	used     bool // whether the fallback key was handed out
	inbox    []mail
}

// mail is an event for a device.
type mail struct {
	pos   int
	event map[string]any
}

// deviceOf returns the device of a user, which comes into being by that.
func (u *user) deviceOf(name string) *device {
	if u.devices[name] == nil {
		u.devices[name] = &device{once: map[string]any{}}
	}
	return u.devices[name]
}

// rekeyedLocked notes that the devices or the identity of somebody have changed.
func (s *Server) rekeyedLocked(u *user) {
	s.head++
	u.rekeyed = s.head
	s.tellLocked()
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func uploadKeys(s *Server, w http.ResponseWriter, _ *http.Request, u *user, body map[string]any) {
	d := u.deviceOf(u.device)
	if keys := object(body["device_keys"]); keys != nil {
		d.keys = keys
		s.rekeyedLocked(u)
	}
	maps.Copy(d.once, object(body["one_time_keys"]))
	if keys := object(body["fallback_keys"]); len(keys) > 0 {
		d.fallback, d.used = keys, false
	}
	reply(w, map[string]any{"one_time_key_counts": map[string]int{"signed_curve25519": len(d.once)}})
}

func queryKeys(s *Server, w http.ResponseWriter, _ *http.Request, _ *user, body map[string]any) {
	out := map[string]map[string]any{"device_keys": {}, "master_keys": {}, "self_signing_keys": {}, "user_signing_keys": {}}
	for id := range object(body["device_keys"]) {
		u := s.users[id]
		if u == nil {
			continue
		}
		devices := map[string]any{}
		for name, d := range u.devices {
			if d.keys != nil {
				devices[name] = d.keys
			}
		}
		out["device_keys"][id] = devices
		for kind, key := range u.identity {
			out[kind][id] = key
		}
	}
	reply(w, out)
}

func claimKeys(s *Server, w http.ResponseWriter, _ *http.Request, _ *user, body map[string]any) {
	out := map[string]any{}
	for id, asked := range object(body["one_time_keys"]) {
		claimed := map[string]any{}
		for name := range object(asked) {
			if s.users[id] == nil || s.users[id].devices[name] == nil {
				continue
			}
			d := s.users[id].devices[name]
			if len(d.once) > 0 {
				key := slices.Sorted(maps.Keys(d.once))[0]
				claimed[name] = map[string]any{key: d.once[key]}
				delete(d.once, key)
			} else if d.fallback != nil {
				claimed[name], d.used = d.fallback, true
			}
		}
		out[id] = claimed
	}
	reply(w, map[string]any{"one_time_keys": out})
}

func sendToDevice(s *Server, w http.ResponseWriter, req *http.Request, u *user, body map[string]any) {
	if key := req.Method + req.URL.Path; u.txns[key] == "" { // a repeated one was carried out
		u.txns[key] = "sent"
		for id, devices := range object(body["messages"]) {
			for name, content := range object(devices) {
				if s.users[id] == nil {
					continue
				}
				s.head++
				d := s.users[id].deviceOf(name)
				d.inbox = append(d.inbox, mail{s.head, map[string]any{"type": req.PathValue("type"), "sender": u.id, "content": content}})
			}
		}
		s.tellLocked()
	}
	reply(w, struct{}{})
}

func uploadIdentity(s *Server, w http.ResponseWriter, _ *http.Request, u *user, body map[string]any) {
	for _, kind := range []string{"master_key", "self_signing_key", "user_signing_key"} {
		if key := object(body[kind]); key != nil {
			u.identity[kind+"s"] = key
		}
	}
	s.rekeyedLocked(u)
	reply(w, struct{}{})
}

// signKeys adds signatures to the keys of devices and to the identity of the caller.
func signKeys(s *Server, w http.ResponseWriter, _ *http.Request, u *user, body map[string]any) {
	for name, signed := range object(body[u.id]) {
		target := u.identity["master_keys"]
		if d := u.devices[name]; d != nil {
			target = d.keys
		}
		all := object(target["signatures"])
		if all == nil {
			continue
		}
		for signer, signatures := range object(object(signed)["signatures"]) {
			if object(all[signer]) == nil {
				all[signer] = map[string]any{}
			}
			maps.Copy(object(all[signer]), object(signatures))
		}
	}
	s.rekeyedLocked(u)
	reply(w, struct{}{})
}

// secretsLocked is what a sync brings beside rooms to a device that has keys, and whether there is anything new about it. What came
// with a sync whose token the device has used since is gone.
func (s *Server) secretsLocked(u *user, since int) (out map[string]any, news bool) {
	d := u.devices[u.device]
	if d == nil {
		return nil, false
	}
	d.inbox = slices.DeleteFunc(d.inbox, func(m mail) bool { return m.pos <= since })
	events := []map[string]any{}
	for _, m := range d.inbox {
		events = append(events, m.event)
	}
	changed := []string{}
	for id, other := range s.users {
		if other.rekeyed > since && since > 0 && s.meetLocked(u.id, id) {
			changed = append(changed, id)
		}
	}
	unused := []string{}
	if d.fallback != nil && !d.used {
		unused = append(unused, "signed_curve25519")
	}
	return map[string]any{
		"to_device":                        map[string]any{"events": events},
		"device_lists":                     map[string]any{"changed": changed},
		"device_one_time_keys_count":       map[string]int{"signed_curve25519": len(d.once)},
		"device_unused_fallback_key_types": unused,
	}, len(events)+len(changed) > 0
}

// meetLocked is whether two people share a room.
func (s *Server) meetLocked(a, b string) bool {
	for _, r := range s.rooms {
		if r.membership(a) == "join" && r.membership(b) == "join" {
			return true
		}
	}
	return false
}
