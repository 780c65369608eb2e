// Package schedule reads schedules in the syntax of cron and says when they are due, in a time zone.
//
// # Promises
//
//   - The syntax is that of cron with five fields (minute, hour, day of month, month, day of week) and of its names: @hourly,
//     @daily, @weekly, @monthly, @yearly. What is due more often than once a minute cannot be said.
//   - A schedule that names hours is due once on each of its days. Where the clocks go forward over its time it is due when
//     they do; where they go back it is due the first time.
//   - A schedule for every hour goes on with the hours that really pass.
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones have to be known where the system has none, as in an empty container

	"github.com/robfig/cron/v3"
)

// Schedule is one schedule in one time zone.
type Schedule struct {
	text  string
	zone  *time.Location
	spec  *cron.SpecSchedule
	hours bool // whether it names hours
}

// everyHour is the bit by which cron marks a field that is a star.
const everyHour = 1 << 63

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// ErrNever is the error of a schedule that is never due.
var ErrNever = errors.New("it is never due")

// Parse reads a schedule. An empty zone is UTC.
func Parse(text, zone string) (*Schedule, error) {
	if strings.HasPrefix(text, "@every") || strings.Contains(text, "TZ=") {
		return nil, errors.New(`write five fields, such as "0 9 * * mon-fri", and the zone beside them`)
	}
	at, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, fmt.Errorf("there is no time zone %q; write one such as \"Europe/Berlin\"", zone)
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("it is not a schedule of fields")
	}
	spec.Location = at
	s := &Schedule{text: text, zone: at, spec: spec, hours: spec.Hour&everyHour == 0}
	if s.Next(time.Now()).IsZero() {
		return nil, ErrNever
	}
	return s, nil
}

// String says the schedule and its zone.
func (s *Schedule) String() string { return s.text + " " + s.zone.String() }

// Next returns the first time after the given one at which it is due; zero if there is none within five years.
func (s *Schedule) Next(after time.Time) time.Time {
	next := s.spec.Next(after.In(s.zone))
	if !s.hours || next.IsZero() {
		return next.UTC()
	}
	if at, ok := s.leapt(after, next); ok {
		return at.UTC()
	}
	for range 24 * 60 { // minutes of a day that come twice
		if !s.twice(next) {
			break
		}
		next = s.spec.Next(next)
	}
	return next.UTC()
}

// leapt returns when the clocks go forward over a time of the schedule, before it is due again otherwise.
func (s *Schedule) leapt(after, next time.Time) (time.Time, bool) {
	for at := after.In(s.zone); ; {
		_, change := at.ZoneBounds()
		if change.IsZero() || change.After(next) {
			return time.Time{}, false
		}
		_, before := change.Add(-1).In(s.zone).Zone()
		_, behind := change.In(s.zone).Zone()
		if forward := behind - before; forward > 0 {
			// As if the clocks had stayed: what is due in the hour that does not come.
			stayed := *s.spec
			stayed.Location = time.FixedZone("", before)
			due := stayed.Next(change.Add(-time.Second))
			if change.After(after) && due.Before(change.Add(time.Duration(forward)*time.Second)) {
				return change, true
			}
		}
		at = change.In(s.zone)
	}
}

// twice reports whether the clocks have shown the time before, since they went back.
func (s *Schedule) twice(at time.Time) bool {
	began, _ := at.In(s.zone).ZoneBounds()
	if began.IsZero() {
		return false
	}
	_, before := began.Add(-1).In(s.zone).Zone()
	_, now := at.In(s.zone).Zone()
	return before > now && at.Before(began.Add(time.Duration(before-now)*time.Second))
}
