package main

import "popmigrate/migrate"

// printer shows the course of one job and what it came to.
type printer interface {
	migrate.Observer

	// Finish is called once, when the observer is told nothing any more and
	// the reports are written; also for a run that could not start.
	Finish(r *result)
}

// observers tells several observers the same.
type observers []migrate.Observer

func (all observers) Maildrop(e migrate.MaildropEvent) {
	for _, o := range all {
		o.Maildrop(e)
	}
}

func (all observers) Message(e migrate.MessageEvent) {
	for _, o := range all {
		o.Message(e)
	}
}

func (all observers) Octets(n int64) {
	for _, o := range all {
		o.Octets(n)
	}
}

func (all observers) Host(e migrate.HostEvent) {
	for _, o := range all {
		o.Host(e)
	}
}
