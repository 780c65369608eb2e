package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// route is what the rate limits of a path go by: the path without what differs from one object to
// the next, and the top-level resource, for each of which Discord counts separately.
// https://discord.com/developers/docs/topics/rate-limits#rate-limits
type route struct {
	name  string // "POST /channels/{}/messages"
	major string // the channel, guild or webhook
	// tokened is whether the path carries its own token: no Authorization goes along, and no global
	// limit counts.
	tokened bool
}

func routeOf(method, path string) route {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	r := route{name: method + " "}
	for i, s := range segments {
		switch {
		case i == 1 && (segments[0] == "channels" || segments[0] == "guilds"):
			r.major, s = s, "{}"
		case i == 1 && segments[0] == "webhooks":
			r.major, s = s, "{}"
		case i == 2 && (segments[0] == "webhooks" || segments[0] == "interactions"):
			// A token belongs to one interaction. Discord limits each by itself, and none lives
			// long enough for its bucket to be worth keeping by name: they all go as one route
			// whose limits are not learned.
			r.tokened, s = true, "{}"
		case i > 2 && segments[i-1] == "reactions":
			s = "{}"
		case isNumber(s):
			s = "{}"
		}
		r.name += "/" + s
	}
	return r
}

// withoutTokens is the path as it may stand in a log.
func withoutTokens(path string) string {
	segments := strings.Split(path, "/") // begins with an empty one
	if len(segments) > 3 && (segments[1] == "webhooks" || segments[1] == "interactions") {
		segments[3] = "…"
	}
	return strings.Join(segments, "/")
}

func isNumber(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// seconds makes a duration of what Discord writes as a number of seconds. Nothing that makes no
// sense comes through.
func seconds(s float64) time.Duration {
	if !(s > 0) || s > 7*24*3600 {
		if s > 0 {
			return 7 * 24 * time.Hour
		}
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

func headerSeconds(h http.Header, name string) time.Duration {
	s, err := strconv.ParseFloat(h.Get(name), 64)
	if err != nil {
		return 0
	}
	return seconds(s)
}
