package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"moot/commands"
	"moot/outbox"
	"moot/protocol"
	"moot/services"
	"moot/store"
)

// workshop is what the services of a history do, and what is remembered in order to hold them to their promises. It has chances of
// its own, so that what else happens stays as it is.
type workshop struct {
	chance *rand.Rand
	nets   []*network // one for each service
	asked  []jobAsked
	did    map[string]map[protocol.Key]int // by job and task: how often, by the key that the task was given
}

// jobAsked is a command for a service.
type jobAsked struct {
	ping
	service string
	turns   int // how often the bot had come or gone by then
}

// turns returns how often the bot has come to a room or gone.
func (p *place) turns() (n int) {
	for _, ev := range p.timeline {
		if c, ok := ev.Body.(protocol.MemberChange); ok && c.Self {
			n++
		}
	}
	return n
}

// serviceSpecs are the services: what may be repeated, in two tasks, and what may not.
func serviceSpecs() []services.Spec {
	spec := func(name string, tasks ...services.Task) services.Spec {
		return services.Spec{
			Name: name, Who: commands.Member, Commands: []services.Command{{Name: name, Summary: "work"}}, Tasks: tasks,
			Queue: 100_000, Keep: 1000 * day,
		}
	}
	return []services.Spec{
		spec("job", services.Task{Name: "first"}, services.Task{Name: "second"}), spec("pay", services.Task{Name: "once", Once: true}),
	}
}

func (h *history) newWorkshop() *workshop {
	w := &workshop{chance: rand.New(rand.NewPCG(h.seed, 0x6a6f6273)), did: map[string]map[protocol.Key]int{}}
	for _, s := range serviceSpecs() {
		w.nets = append(w.nets, &network{
			h: h, name: protocol.ServiceNetwork(s.Name), up: true, keys: map[protocol.Key]*shown{}, began: map[protocol.Key]time.Time{},
		})
	}
	return w
}

// want lets somebody want something of a service, now and then.
func (h *history) want(n *network, p *place) {
	who := n.users[h.work.chance.IntN(len(n.users))]
	if h.work.chance.IntN(12) > 0 || !p.members[who] {
		return
	}
	service := serviceSpecs()[h.work.chance.IntN(2)].Name
	h.happens(n, p, who, protocol.Message{Text: "!m " + service})
	h.work.asked = append(h.work.asked, jobAsked{ping{protocol.Ref{Room: p.id, Event: p.timeline[len(p.timeline)-1].ID}, n, h.now, p.bot}, service, p.turns()})
}

// works does a task, as the adapter of a service does.
func (h *history) works(a outbox.Attempt, want protocol.AskTask) (protocol.Body, error) {
	if want.Once && a.Try.N > 1 {
		return nil, &protocol.SendError{Ambiguous: true, Err: errors.New("it may have run")}
	}
	var in struct{ Key, Job protocol.Key }
	if err := json.Unmarshal(want.Input, &in); err != nil {
		return nil, &protocol.SendError{Final: true, Err: err}
	}
	at := string(in.Job) + " " + want.Task
	if h.work.did[at] == nil {
		h.work.did[at] = map[protocol.Key]int{}
	}
	h.work.did[at][in.Key]++
	if !h.mended && h.work.chance.IntN(4) == 0 {
		return nil, &protocol.SendError{Final: true, Err: errors.New("as told")}
	}
	return protocol.TaskDone{Output: json.RawMessage(`{"answer":"done"}`)}, nil
}

// worked checks at rest that each job has come to its end, was done as often as it may be, and was answered once.
func (h *history) worked(tx *store.Tx) error {
	all := map[protocol.Key]services.Job{}
	for _, j := range h.life.services.All(tx) {
		all[j.Key] = j
	}
	for _, a := range h.work.asked {
		key := protocol.DeriveKey("job", a.service, string(a.ref.Room), string(a.ref.Event))
		j, is := all[key]
		delete(all, key)
		seen := tx.Seen(a.ref.Room, a.ref.Event)
		if taken := seen.Disposition == store.Handled && seen.Reason == "command "+a.service; taken != is || is && !a.live {
			return fmt.Errorf("%v (%s) is %s: %s, and there is a job: %v", a.ref, a.service, seen.Disposition, seen.Reason, is)
		}
		if !is {
			continue
		}
		if err := h.jobEnded(j); err != nil {
			return fmt.Errorf("the job of %v: %w", a.ref, err)
		}
		h.tally.jobs++
		answer := protocol.DeriveKey("service", string(key), "answer")
		s, m := tx.Delivery(answer), a.net.keys[answer]
		switch {
		case j.State == services.Done && s.State == "" && a.net.place(a.ref.Room).turns() > a.turns: // it was not there any more
		case (j.State == services.Done) != (s.State != ""):
			return fmt.Errorf("the job of %v is %s, and its answer %q", a.ref, j.State, s.State)
		case s.State == store.StateSent && (m == nil || m.times != 1):
			return fmt.Errorf("the answer to %v was sent, and nobody sees it", a.ref)
		case s.State == store.StateQueued:
			return fmt.Errorf("the answer to %v waits", a.ref)
		}
	}
	for _, j := range all {
		return fmt.Errorf("nobody has asked for the job %s of %s", j.Key, j.Service)
	}
	return nil
}

// jobEnded checks how a job has ended, and how often its tasks were done.
func (h *history) jobEnded(j services.Job) error {
	switch j.State {
	case services.Ambiguous:
		if h.tally.unknown++; j.Service != "pay" {
			return errors.New("it is ambiguous, and could have been repeated")
		}
	case services.Failed:
		h.tally.broke++
	case services.Done:
	default:
		return fmt.Errorf("at rest it is %s", j.State)
	}
	for _, s := range serviceSpecs() {
		for _, task := range s.Tasks {
			runs := h.work.did[string(j.Key)+" "+task.Name]
			switch {
			case s.Name != j.Service:
				continue
			case j.State == services.Done && len(runs) == 0:
				return fmt.Errorf("it is done, and %s never ran", task.Name)
			case !task.Once && len(runs) > 1:
				return fmt.Errorf("%s ran under the keys %v", task.Name, runs)
			}
			for key, n := range runs {
				if task.Once && n > 1 {
					return fmt.Errorf("%s ran %d times under %s", task.Name, n, key)
				}
			}
		}
	}
	return nil
}
