package rest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzAnswer: whatever stands in front of Discord answers, the error says it in a line that has an
// end, and nobody waits longer than a week for it, nor for ever.
func FuzzAnswer(f *testing.F) {
	f.Add(429, "65", "5", "0", "1.5", "abc",
		[]byte(`{"message":"You are being rate limited.","retry_after":0.65,"global":true}`))
	f.Add(429, "-1", "5", "-7", "1e300", "abc", []byte(`{"retry_after":1e300}`))
	f.Add(400, "", "0", "x", "NaN", "",
		[]byte(`{"code":50035,"message":"Invalid Form Body","errors":{"content":{"_errors":[{"code":"X","message":"y"}]}}}`))
	f.Add(502, "", "", "", "", "", []byte("<html>\r\n\xff\xfe</html>"))
	f.Fuzz(func(t *testing.T, status int, retry, limit, remaining, after, bucket string, body []byte) {
		const week = 7 * 24 * time.Hour
		header := http.Header{
			"Retry-After": {retry}, "X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset-After": {after}, "X-Ratelimit-Bucket": {bucket},
		}
		e := &Error{Method: http.MethodPost, Path: "/webhooks/1/secret/messages/2"}
		e.fill(&http.Response{StatusCode: status, Header: header}, body)
		if e.RetryAfter < 0 || e.RetryAfter > week || status == http.StatusTooManyRequests && e.RetryAfter == 0 {
			t.Errorf("it waits %s", e.RetryAfter)
		}
		if !utf8.ValidString(e.Message) || strings.ContainsAny(e.Message, "\r\n") ||
			utf8.RuneCountInString(e.Message) > 201 {
			t.Errorf("it says %q", e.Message)
		}
		if len(e.Errors) > 0 && !json.Valid(e.Errors) || len(e.Error()) > 4000 {
			t.Errorf("it says %.5000q", e.Error())
		}
		l, now, r := newLimiter(), time.Unix(1e9, 0), routeOf(http.MethodPost, "/channels/1/messages")
		wait, key, err := l.take(now, r)
		if wait != 0 || err != nil {
			t.Fatalf("the first waits %s, %v", wait, err)
		}
		l.done(now, r, key, header)
		if status == http.StatusTooManyRequests {
			l.exhausted(now, r, e)
		}
		for range 3 {
			if wait, key, err = l.take(now, r); wait < 0 || wait > week || err != nil {
				t.Fatalf("the next waits %s, %v", wait, err)
			}
			if wait == 0 {
				l.done(now, r, key, nil)
			}
		}
		if wait, _, err = l.take(now.Add(week+time.Second), r); wait != 0 || err != nil {
			t.Errorf("a week later it still waits %s, %v", wait, err)
		}
	})
}
