package main

import (
	"fmt"

	"popmigrate/jobs"
	"popmigrate/migrate"
)

type runCmd struct {
	JobFile string `arg:"" name:"jobfile" help:"The job file (HCL)."`
	selection
	DryRun  bool `help:"Log in, list, compare with the ledger; fetch and delete nothing."`
	Failed  bool `help:"Only the maildrops that were not complete when they were last tried."`
	Repair  bool `help:"Read every verified copy again first; set aside what is damaged and replace it from another sink, from what is sound, or from the server."`
	Gone    bool `name:"archive-is-gone" help:"With --repair: also give up archives of which nothing is there. Is no disk just not mounted?"`
	JSON    bool `name:"json" help:"Print JSON lines on standard output and nothing else."`
	Quiet   bool `short:"q" help:"Show no progress; print the final block only if something is wrong."`
	Verbose bool `short:"v" help:"Print a line for every maildrop that ends or waits."`
}

// Help is shown by --help.
func (*runCmd) Help() string {
	return "What an earlier run did is known from the job's ledger: to go on after whatever stopped it, " +
		"run the same command again. The first Ctrl-C finishes what is in hand, the second one stops at once.\n\n" +
		exitHelp(exitComplete, exitStart, exitIncomplete, exitUnaudited, exitBudget, exitVerification,
			exitNoAccount, exitLocked, exitUsage, exitInterrupted)
}

// Run runs the jobs one after the other and ends with the worst of their codes.
func (c *runCmd) Run(a *app) error {
	a.json, a.quiet = c.JSON, c.Quiet
	switch {
	case c.Gone && !c.Repair:
		return usage("--archive-is-gone means something with --repair only")
	case c.Repair && c.DryRun:
		return usage("--repair and --dry-run exclude each other; popmigrate verify looks and changes nothing")
	}
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
	stop := a.gently()
	defer stop.release()
	worst := exitComplete
	for _, job := range selected {
		if stop.stopped() {
			worst = worse(worst, exitInterrupted)
			a.skip(job, exitInterrupted, "it was not begun")
			continue
		}
		a.warn(job)
		m := a.newMigration(job)
		m.dryRun, m.verbose, m.headed, m.repair = c.DryRun, c.Verbose, len(selected) > 1, c.repairMode()
		worst = worse(worst, m.run(stop).code)
	}
	return exitWith(worst)
}

func (c *runCmd) repairMode() migrate.RepairMode {
	switch {
	case c.Gone:
		return migrate.RepairAbsent
	case c.Repair:
		return migrate.RepairDamaged
	}
	return migrate.RepairNothing
}

// onlyFailed keeps the accounts that were not complete when they were last
// tried, and the jobs that have any.
func (a *app) onlyFailed(selected []*jobs.Job) ([]*jobs.Job, error) {
	var kept []*jobs.Job
	for _, job := range selected {
		names, err := lastFailed(job.StateDir, job.Job.Accounts)
		if err != nil {
			return nil, err
		}
		job.FilterNames(names)
		if len(job.Job.Accounts) == 0 {
			a.skip(job, exitComplete, "none of its maildrops was incomplete when it was last tried")
			continue
		}
		kept = append(kept, job)
	}
	return kept, nil
}

// skip says why a job was left out; for a program, with a summary of nothing.
func (a *app) skip(job *jobs.Job, code exitCode, why string) {
	if a.json {
		newJSONPrinter(a.out, job.Name, "").Finish(&result{job: job.Name, report: &migrate.Report{}, code: code})
	}
	a.note("Job %q: %s.", job.Name, why)
}

// warn prints a job's warnings.
func (a *app) warn(job *jobs.Job) {
	for _, warning := range job.Warnings {
		a.note("Warning: %s", warning)
	}
}

// note prints a line for a person who wants to know how things go.
func (a *app) note(format string, args ...any) {
	if !a.json && !a.quiet {
		a.screen.line(plain(fmt.Sprintf(format, args...)))
	}
}
