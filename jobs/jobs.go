// Package jobs reads job files and account lists, checks everything in them
// before anything is dialed, and builds what package migrate runs.
//
// A job file is HCL; jobs.example.hcl shows every block and attribute. What is
// wrong with it is reported all at once, each problem with its place, as
// [Diagnostics]. Secrets are carried as references and evaluated at login;
// none is ever shown. Sinks are not opened here: accounts carry constructors.
package jobs

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"popmigrate/migrate"
)

// File is a job file that was found to be in order.
type File struct {
	Path string
	Jobs []*Job
}

// Job is one job of a file.
type Job struct {
	Name     string
	StateDir string       // of the ledger and everything else that is not mail; may not exist yet
	Job      *migrate.Job // what runs
	Warnings []string     // one line each, for a person

	dir     string // that paths are shown relative to
	entries []*entry
	sources []*source
	sinks   []*sink
}

// Select returns the job of a name, or all jobs for "".
func (f *File) Select(name string) ([]*Job, error) {
	if name == "" {
		return f.Jobs, nil
	}
	names := make([]string, len(f.Jobs))
	for i, job := range f.Jobs {
		if job.Name == name {
			return f.Jobs[i : i+1], nil
		}
		names[i] = job.Name
	}
	return nil, fmt.Errorf("select job %q: %s has %s", name, f.Path, strings.Join(names, ", "))
}

func (f *File) close() {
	for _, job := range f.Jobs {
		job.Close()
	}
}

// Filter keeps the accounts whose maildrop's name matches glob, in which *
// stands for anything, ? for one character and [a-z] for a range. It returns
// how many remain.
func (j *Job) Filter(glob string) (int, error) {
	slashless := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") } // path.Match lets * stop at a slash
	glob = slashless(glob)
	if _, err := path.Match(glob, ""); err != nil {
		return 0, fmt.Errorf("filter accounts: %w", err)
	}
	j.keep(func(name string) bool {
		ok, _ := path.Match(glob, slashless(name))
		return ok
	})
	return len(j.Job.Accounts), nil
}

// FilterNames keeps the accounts of these maildrop names.
func (j *Job) FilterNames(names map[string]bool) {
	j.keep(func(name string) bool { return names[name] })
}

func (j *Job) keep(wanted func(name string) bool) {
	var entries []*entry
	var accounts []migrate.Account
	for i := range j.Job.Accounts {
		if wanted(j.Job.Accounts[i].Name) {
			entries = append(entries, j.entries[i])
			accounts = append(accounts, j.Job.Accounts[i])
		}
	}
	j.entries, j.Job.Accounts = entries, accounts
}

// Close releases what the job's accounts share: the demo server, where there
// is one. Sessions must be closed before.
func (j *Job) Close() error {
	var errs []error
	for _, src := range j.sources {
		if src.demo != nil {
			errs = append(errs, src.demo.Close())
		}
	}
	return errors.Join(errs...)
}
