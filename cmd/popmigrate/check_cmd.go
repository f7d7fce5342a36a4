package main

import "fmt"

type checkCmd struct {
	JobFile string `arg:"" name:"jobfile" help:"The job file (HCL)."`
	selection
	Accounts int `default:"5" placeholder:"N" help:"Show so many accounts of each job; -1 shows all (default: ${default})."`
}

// Help is shown by --help.
func (*checkCmd) Help() string {
	return "Reads the job file and its account lists, checks that what secrets refer to is there, and prints the " +
		"job with all defaults written out. Secrets are neither read nor shown, and nothing is dialed.\n\n" +
		exitHelp(exitComplete, exitStart, exitUsage)
}

// Run prints the effective jobs.
func (c *checkCmd) Run(a *app) error {
	selected, release, err := c.choose(c.JobFile, a.jobsEnv())
	if err != nil {
		return err
	}
	defer release()
	accounts, warnings := 0, 0
	for _, job := range selected {
		if err := job.Describe(a.out, c.Accounts); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
		accounts += len(job.Job.Accounts)
		warnings += len(job.Warnings)
	}
	text := fmt.Sprintf("In order: %s, %s", counted(int64(len(selected)), "job"), counted(int64(accounts), "maildrop"))
	if warnings > 0 {
		text += ", " + counted(int64(warnings), "warning")
	}
	_, err = fmt.Fprintln(a.out, text+".")
	return err
}
