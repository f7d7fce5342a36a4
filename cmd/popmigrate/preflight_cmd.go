package main

import (
	"context"
	"fmt"
	"time"

	"popmigrate/jobs"
	"popmigrate/migrate"
	"popmigrate/preflight"
)

type preflightCmd struct {
	JobFile string `arg:"" name:"jobfile" help:"The job file (HCL)."`
	selection
	Failed bool   `help:"Only the maildrops that were not complete when they were last tried."`
	CSV    string `name:"csv" placeholder:"FILE" help:"Also write a line for each maildrop into this file."`
	JSON   bool   `name:"json" help:"Print JSON lines on standard output and nothing else."`
	Quiet  bool   `short:"q" help:"Show no progress; print the table only if something is wrong."`
}

// Help is shown by --help.
func (*preflightCmd) Help() string {
	return "Logs in to every maildrop once, as carefully as a run, and lists it: server, certificate, login, unique-ids, " +
		"how much mail there is, and what stands in the way. Nothing is fetched or deleted, and neither ledger nor sinks " +
		"are touched. Ctrl-C ends it with what is known by then. popmigrate probe looks at a server without an account.\n\n" +
		"Here 3 means that some maildrops, or all, are not ready.\n\n" +
		exitHelp(exitComplete, exitStart, exitIncomplete, exitUsage, exitInterrupted)
}

// Run looks at the jobs one after the other and ends with the worst of their codes.
func (c *preflightCmd) Run(a *app) error {
	a.json, a.quiet = c.JSON, c.Quiet
	selected, release, err := c.choose(c.JobFile, a.jobsEnv())
	if err != nil {
		return err
	}
	defer release()
	if c.Failed {
		if selected, err = a.onlyFailed(selected); err != nil || len(selected) == 0 {
			return err
		}
	}
	ctx, unwatch := a.interruptible()
	defer unwatch()
	worst := exitComplete
	var all []*flight
	for _, job := range selected {
		a.warn(job)
		f := a.fly(ctx, job)
		f.headed = len(selected) > 1
		f.print(a)
		all = append(all, f)
		worst = worse(worst, f.code)
	}
	if c.CSV != "" {
		if err := writeFlights(c.CSV, all); err != nil {
			a.explain(err)
			worst = worse(worst, exitStart)
		}
	}
	return exitWith(worst)
}

// flight is the preflight of one job.
type flight struct {
	job    *jobs.Job
	report *preflight.Report
	totals preflight.Totals
	code   exitCode
	headed bool // one of several jobs: its table has a heading
}

// fly looks at all maildrops of a job.
func (a *app) fly(ctx context.Context, job *jobs.Job) *flight {
	watch := &flightWatch{app: a, progress: newProgress(len(job.Job.Accounts), time.Now())}
	if !a.quiet && !a.json {
		defer a.screen.watch(watch.line)()
	}
	within(a, job.Job)
	report := preflight.Job(ctx, job.Job, watch, func(account *preflight.Account) {
		watch.seen(account)
		if a.json {
			writeAccountSeen(a.out, job.Name, account)
		}
	})
	f := &flight{job: job, report: report, totals: report.Totals(), code: exitComplete}
	switch {
	case report.Interrupted:
		f.code = exitInterrupted
	case f.totals.NotReady > 0:
		f.code = exitIncomplete
	}
	return f
}

// within opens fewer sessions than the job allows where the system lets the
// process have too few open files for them.
func within(a *app, job *migrate.Job) {
	limit, known := openFiles()
	sessions := max(int(min(limit, 1<<20))-filesOfRun, 1)
	if known && sessions < job.Limits.WithDefaults().Sessions {
		a.note("Warning: the limit of %d open files allows %d sessions at once; raise it with ulimit -n.", limit, sessions)
		job.Limits.Sessions = sessions
	}
}

// flightWatch shows a person how far the preflight is.
type flightWatch struct {
	app      *app
	progress *progress
}

var _ migrate.Observer = (*flightWatch)(nil)

func (w *flightWatch) seen(account *preflight.Account) {
	w.progress.mu.Lock()
	defer w.progress.mu.Unlock()
	w.progress.finished++
	if !account.Ready {
		w.progress.problems++
	}
}

func (w *flightWatch) line(time.Time) (thousandths int, parts []string) {
	w.progress.mu.Lock()
	defer w.progress.mu.Unlock()
	parts = []string{number(int64(w.progress.finished)) + "/" + counted(int64(w.progress.total), "maildrop")}
	if w.progress.problems > 0 {
		parts = append(parts, counted(int64(w.progress.problems), "problem"))
	}
	return w.progress.finished * 1000 / max(w.progress.total, 1), parts
}

// Host tells why nothing seems to happen.
func (w *flightWatch) Host(e migrate.HostEvent) {
	if !e.PausedUntil.IsZero() && e.PausedUntil.After(time.Now()) {
		w.app.note("%s", hostText(&e))
	}
}

// Maildrop, Message and Octets tell what a preflight shows in its table.
func (w *flightWatch) Maildrop(migrate.MaildropEvent) {}
func (w *flightWatch) Message(migrate.MessageEvent)   {}
func (w *flightWatch) Octets(int64)                   {}

// print shows what the preflight of a job came to.
func (f *flight) print(a *app) {
	switch {
	case a.json:
		f.writeSummary(a.out)
	case !a.quiet || f.code != exitComplete:
		f.writeText(a.out, a.width(a.out))
	}
}

// verdict is the last sentence.
func (f *flight) verdict() string {
	t := &f.totals
	of := fmt.Sprintf("%s of %s", number(int64(t.Ready)), counted(int64(t.Accounts), "maildrop"))
	switch f.code {
	case exitInterrupted:
		return fmt.Sprintf("Interrupted: this report is not whole; %s looked at and ready, %s not tried.", of, number(int64(t.NotTried)))
	case exitComplete:
		return "Ready: " + of + "."
	}
	return "NOT ready: " + number(int64(t.NotReady)) + " of " + counted(int64(t.Accounts), "maildrop") + "."
}
