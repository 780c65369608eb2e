package sim

import (
	"fmt"
	"testing"

	"moot/protocol"
)

// tally is how much happened in histories: what never happens proves nothing.
type tally struct {
	histories, steps, events, crashes, undone, full, again, retried, pings, votes, ballots, archived, joined, departed, restrained, late, wrongs, held, refused, meddled, polled, refereed, decided, jobs, broke, unknown int
	failedOver, lostLease, based, haunted, shipLost, shipUnheard, shipDelayed, shipFenced                                                                                                                                 int
	fates                                                                                                                                                                                                                 [fates]int
	ambiguous                                                                                                                                                                                                             map[protocol.Key]bool
	ambiguities                                                                                                                                                                                                           int
}

func (t *tally) fate(f fate, err error) {
	if err != nil || f != notDone {
		t.fates[f]++
	}
}

func (t *tally) add(o tally) {
	for _, c := range []struct{ to, from *int }{
		{&t.histories, &o.histories}, {&t.steps, &o.steps}, {&t.events, &o.events}, {&t.crashes, &o.crashes}, {&t.undone, &o.undone},
		{&t.full, &o.full}, {&t.again, &o.again}, {&t.retried, &o.retried}, {&t.pings, &o.pings}, {&t.votes, &o.votes},
		{&t.ballots, &o.ballots}, {&t.archived, &o.archived},
		{&t.joined, &o.joined}, {&t.departed, &o.departed}, {&t.restrained, &o.restrained}, {&t.late, &o.late}, {&t.wrongs, &o.wrongs}, {&t.held, &o.held}, {&t.refused, &o.refused},
		{&t.meddled, &o.meddled}, {&t.polled, &o.polled}, {&t.refereed, &o.refereed}, {&t.decided, &o.decided},
		{&t.failedOver, &o.failedOver}, {&t.lostLease, &o.lostLease}, {&t.based, &o.based}, {&t.haunted, &o.haunted},
		{&t.shipLost, &o.shipLost}, {&t.shipUnheard, &o.shipUnheard}, {&t.shipDelayed, &o.shipDelayed}, {&t.shipFenced, &o.shipFenced},
		{&t.jobs, &o.jobs}, {&t.broke, &o.broke}, {&t.unknown, &o.unknown},
	} {
		*c.to += *c.from
	}
	for i := range t.fates {
		t.fates[i] += o.fates[i]
	}
	t.ambiguities += len(o.ambiguous)
}

func (t tally) String() string {
	return fmt.Sprintf("%d commits, %d events, %d crashes (%d lost a commit), %d commits refused by a full disk, %d deliveries repeated, %d answers lost, %d ambiguous, %d dead letters tried again, %d votes with %d facts, %d facts archived, %d rooms joined by invitation, %d left for nobody was there, %d people held back or let go, %d told late, %d times a clock was wrong: %d steps held, %d starts refused, %d times somebody meddled, %d ballots by polls, %d votes refereed, %d of them with a decision, %d looks at jobs that have ended, %d of them failed and %d ambiguous, %d fail-overs to another machine, %d leases lost in the middle of a change, %d bases taken, %d messages of a machine that led before, %d appends lost, %d not heard of, %d delayed, %d fenced off",
		t.steps, t.events, t.crashes, t.undone, t.full, t.again, t.fates[lost], t.ambiguities, t.retried, t.votes, t.ballots, t.archived, t.joined, t.departed, t.restrained, t.late, t.wrongs, t.held, t.refused, t.meddled, t.polled, t.refereed, t.decided, t.jobs, t.broke, t.unknown, t.failedOver, t.lostLease, t.based, t.haunted, t.shipLost, t.shipUnheard, t.shipDelayed, t.shipFenced)
}

// requireAll fails where something never happened.
func (t tally) requireAll(tt *testing.T) {
	tt.Helper()
	for name, n := range map[string]int{
		"crashes": t.crashes, "lost commits": t.undone, "full disks": t.full, "repeated deliveries": t.again, "retried letters": t.retried,
		"answered pings": t.pings, "votes": t.votes, "ballots": t.ballots - 2*t.votes, "lost answers": t.fates[lost], "failed attempts": t.fates[notDone],
		"ambiguous messages": t.ambiguities, "archived facts": t.archived, "joins by invitation": t.joined, "people held back": t.restrained, "words told late": t.late, "wrong clocks": t.wrongs, "held steps": t.held, "refused starts": t.refused,
		"meddlers": t.meddled, "ballots by polls": t.polled, "votes that were refereed": t.refereed, "decisions": t.decided,
		"jobs": t.jobs, "failed jobs": t.broke, "ambiguous jobs": t.unknown,
		"fail-overs": t.failedOver, "lost leases": t.lostLease, "bases": t.based, "messages of who led before": t.haunted,
		"lost appends": t.shipLost, "appends that nobody heard of": t.shipUnheard, "delayed appends": t.shipDelayed, "fenced appends": t.shipFenced,
	} {
		if n <= 0 {
			tt.Errorf("there were no %s", name)
		}
	}
}
