package page

import (
	"errors"
	"net/http"
	"slices"

	"moot/protocol"
	"moot/services"
	"moot/store"
)

// job is a job of a service. Of one from a private conversation only how far it is is shown.
type job struct {
	services.JobLine
	Hidden bool
	// Stuck is whether it can be tried again.
	Stuck bool
}

// jobs shows the jobs of services, in one state where that is asked for.
func (p *Page) jobs(r *http.Request) (view, error) {
	data := struct {
		States []services.State
		State  services.State // zero for all
		Jobs   []job
		More   bool
	}{States: services.States()}
	q := services.JobQuery{Limit: 100}
	if state := services.State(r.FormValue("state")); slices.Contains(data.States, state) {
		data.State, q.States = state, []services.State{state}
	}
	if p.Jobs == nil {
		return view{Title: "Jobs", Template: "jobs.html", Data: data}, nil
	}
	page, err := p.Jobs(q)
	if err != nil {
		return view{}, err
	}
	data.More = page.More
	err = p.Inspector.Store.View(func(tx *store.Tx) error {
		for _, l := range page.Jobs {
			one := job{JobLine: l, Hidden: l.Private || l.Room != "" && private(tx, l.Room), Stuck: l.State == services.Failed || l.State == services.Ambiguous}
			if one.Hidden {
				one.From, one.Fault, one.Input, one.Scope, one.Room = "", "", "", "", ""
			}
			one.Fault, one.Input = protocol.Shorten(protocol.OneLine(one.Fault), 300), protocol.Shorten(protocol.OneLine(one.Input), 300)
			data.Jobs = append(data.Jobs, one)
		}
		return nil
	})
	return view{Title: "Jobs", Template: "jobs.html", Data: data}, err
}

// changeJob has a job tried again, or forgotten.
func (p *Page) changeJob(w http.ResponseWriter, r *http.Request, s *session) {
	what, name := protocol.OrderKind(r.PostFormValue("do")), protocol.Key(r.PostFormValue("job"))
	if what != protocol.OrderRetry && what != protocol.OrderDrop || name == "" || len(name) > 100 || p.Order == nil {
		p.Write(w, http.StatusBadRequest, s, view{Title: "Not understood", Template: "refused.html", Data: "This was no question of this page."})
		return
	}
	said, err := p.Order(r.Context(), what, name)
	switch {
	case errors.Is(err, services.ErrNoJob), errors.Is(err, services.ErrManyJobs):
		err = question("There is no such job any more.")
	case errors.Is(err, services.ErrNotFailed):
		err = question("The job has not failed, or is being tried again already.")
	}
	if err != nil {
		p.refuse(w, s, err)
		return
	}
	p.Log.Info("a job was seen to on the page", "job", name, "do", what)
	s.Say(said)
	http.Redirect(w, r, "/jobs", http.StatusSeeOther)
}
