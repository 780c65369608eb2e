package schedule

import (
	"strings"
	"testing"
	"time"
)

// What is due in the days around a change of the clocks.
func TestClocksChange(t *testing.T) {
	for name, tc := range map[string]struct{ text, zone, from, want string }{
		"every day":                 {"0 9 * * *", "Europe/Berlin", "2026-11-21T00:00:00Z", "11-21T08:00 11-22T08:00"},
		"working days":              {"0 9 * * mon-fri", "UTC", "2026-11-20T10:00:00Z", "11-23T09:00 11-24T09:00"},
		"in the hour that leaps":    {"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "03-28T01:30 03-29T01:00 03-30T00:30"},
		"just behind the leap":      {"0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "03-29T01:00 03-30T01:00"},
		"before the leap":           {"30 1 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "03-29T00:30 03-29T23:30"},
		"several within the leap":   {"0,20,40 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "03-29T01:00 03-30T00:00"},
		"in the hour that is twice": {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "10-25T00:30 10-26T01:30"},
		"each minute of it":         {"* 2 * * *", "Europe/Berlin", "2026-10-25T00:58:30Z", "10-25T00:59 10-26T01:00"},
		"every hour, leap":          {"30 * * * *", "Europe/Berlin", "2026-03-28T23:40:00Z", "03-29T00:30 03-29T01:30 03-29T02:30"},
		"every hour, twice":         {"30 * * * *", "Europe/Berlin", "2026-10-24T23:40:00Z", "10-25T00:30 10-25T01:30 10-25T02:30"},
		"half an hour":              {"15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", "10-03T15:30 10-04T15:15"},
		"across the world":          {"30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "03-08T07:00 03-09T06:30"},
		"by name":                   {"@daily", "Asia/Tokyo", "2026-11-21T00:00:00Z", "11-21T15:00 11-22T15:00"},
		"a leap day":                {"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "02-29T00:00"},
	} {
		s, err := Parse(tc.text, tc.zone)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		at, err := time.Parse(time.RFC3339, tc.from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range strings.Fields(tc.want) {
			at = s.Next(at)
			got = append(got, at.Format("01-02T15:04"))
		}
		if have := strings.Join(got, " "); have != tc.want {
			t.Errorf("%s: %q in %s after %s is due at\n%s, and it should be\n%s", name, tc.text, tc.zone, tc.from, have, tc.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range [][2]string{
		{"", "UTC"}, {"61 * * * *", "UTC"}, {"* * * *", "UTC"}, {"* * * * * *", "UTC"}, {"@every 1s", "UTC"},
		{"TZ=Asia/Tokyo 0 9 * * *", "UTC"}, {"0 9 * * *", "Europe/Nowhere"}, {"0 9 * * *", "Local"}, {"0 0 31 2 *", "UTC"},
	} {
		if s, err := Parse(tc[0], tc[1]); err == nil {
			t.Errorf("%q in %q was read as %s", tc[0], tc[1], s)
		}
	}
}

// Whatever the schedule, what is due lies ahead, and nothing is due twice.
func FuzzNext(f *testing.F) {
	f.Add("30 2 * * *", "Europe/Berlin", int64(1774746000))
	f.Add("*/7 1-3 * * *", "Australia/Lord_Howe", int64(1774746000))
	f.Fuzz(func(t *testing.T, text, zone string, unix int64) {
		s, err := Parse(text, zone)
		if err != nil || unix < 0 || unix > 4e9 {
			return
		}
		at := time.Unix(unix, 0)
		for range 5 {
			next := s.Next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) {
				t.Fatalf("%s after %s is due at %s", s, at, next)
			}
			at = next
		}
	})
}
