package rest

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestRoutes(t *testing.T) {
	for _, c := range []struct{ method, path, name, major string }{
		{"GET", "/users/@me", "GET /users/@me", ""},
		{"POST", "/channels/12/messages", "POST /channels/{}/messages", "12"},
		{"DELETE", "/channels/12/messages/34", "DELETE /channels/{}/messages/{}", "12"},
		{"PUT", "/channels/12/messages/34/reactions/%F0%9F%91%8D/@me",
			"PUT /channels/{}/messages/{}/reactions/{}/@me", "12"},
		{"PUT", "/guilds/1/members/2/roles/3", "PUT /guilds/{}/members/{}/roles/{}", "1"},
		{"POST", "/interactions/1/tok/callback", "POST /interactions/{}/{}/callback", ""},
		{"PATCH", "/webhooks/1/tok/messages/@original", "PATCH /webhooks/{}/{}/messages/@original", "1"},
	} {
		if r := routeOf(c.method, c.path); r.name != c.name || r.major != c.major {
			t.Errorf("%s %s: %+v", c.method, c.path, r)
		}
	}
	if s := withoutTokens("/webhooks/1/secret/messages/2"); s != "/webhooks/1/…/messages/2" {
		t.Error(s)
	}
}

func headers(limit, remaining, after, bucket string) http.Header {
	return http.Header{"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining},
		"X-Ratelimit-Reset-After": {after}, "X-Ratelimit-Bucket": {bucket}}
}

func TestIdleBucketsAreForgotten(t *testing.T) {
	l := newLimiter()
	now := time.Unix(1_700_000_000, 0)
	for i := range 10_000 {
		now = now.Add(100 * time.Millisecond)
		r := routeOf("POST", fmt.Sprintf("/channels/%d/messages", i))
		wait, key, err := l.take(now, r)
		if wait != 0 || err != nil {
			t.Fatalf("request %d waits %v: %v", i, wait, err)
		}
		l.done(now, r, key, headers("5", "4", "5", "abc"))
	}
	if n := len(l.buckets); n > 2*sweepEvery {
		t.Errorf("%d buckets are kept", n)
	}
}

// Numbers that Discord never sends must not stop the bot for ever.
func TestStrangeHeaders(t *testing.T) {
	for _, h := range []http.Header{nil, {}, headers("x", "y", "z", "b"), headers("0", "0", "1", "b"),
		headers("5", "-7", "NaN", "b"), headers("5", "0", "1e99", "b"), headers("5", "0", "-1", "b")} {
		l := newLimiter()
		now := time.Unix(1_700_000_000, 0)
		r := routeOf("GET", "/users/@me")
		for i := range 20 {
			wait, key, err := l.take(now, r)
			if err != nil || wait > 7*24*time.Hour {
				t.Fatalf("%v: request %d waits %v: %v", h, i, wait, err)
			}
			if wait > 0 {
				now = now.Add(wait)
				continue
			}
			l.done(now, r, key, h)
		}
	}
}

// The refused ones are counted within ten minutes, and no longer.
func TestRefusedWindow(t *testing.T) {
	l := newLimiter()
	now := time.Unix(1_700_000_000, 0)
	r := routeOf("GET", "/users/@me")
	for range refusedMost {
		l.refuse(now)
	}
	wait, _, err := l.take(now, r)
	if err == nil || wait <= 0 || wait > time.Minute {
		t.Errorf("wait %v: %v", wait, err)
	}
	if wait, _, err := l.take(now.Add(refusedWithin+time.Minute), r); wait != 0 || err != nil {
		t.Errorf("later: wait %v: %v", wait, err)
	}
}

// TestPace: a place that would be too far away is not taken.
func TestPace(t *testing.T) {
	var p Pace
	now := time.Unix(1_700_000_000, 0)
	for i := range burst {
		if wait := p.Take(now, 0); wait != 0 {
			t.Errorf("request %d waits %s", i, wait)
		}
	}
	for range 3 {
		if wait := p.Take(now, every/2); wait != every {
			t.Errorf("who cannot wait is told to wait %s", wait)
		}
	}
	for i := range 40 {
		if wait := p.Take(now, time.Minute); wait != time.Duration(i+1)*every {
			t.Errorf("request %d of those behind waits %s", i, wait)
		}
	}
	if wait := p.Take(now.Add(time.Hour), 0); wait != 0 {
		t.Errorf("an hour later it waits %s", wait)
	}
}
