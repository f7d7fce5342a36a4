package main

import (
	"context"
	"fmt"
	"os"

	"popmigrate/checkpoint"
	"popmigrate/jobs"
)

type verifyCmd struct {
	Path string `arg:"" name:"jobfile|dir" help:"A job file, or a folder with mbox archives, which are verified by their own indexes."`
	selection
	ReadSubset string `placeholder:"5%|N/T" help:"Read only so many of the copies, picked at random, or the N-th of T parts: T such runs read all."`
	JSON       bool   `name:"json" help:"Print JSON lines on standard output and nothing else."`
	Quiet      bool   `short:"q" help:"Show no progress; print more than the last line only if something is wrong."`
}

// Help is shown by --help.
func (*verifyCmd) Help() string {
	return "Reads every copy that was once verified again, from the disk, and compares its octets with the digest " +
		"taken from the wire. Of a job it checks the ledger's custody record too. Nothing is changed. " +
		"Copies that an SMTP or LMTP server accepted cannot be read back.\n\n" +
		exitHelp(exitComplete, exitStart, exitVerification, exitUsage, exitInterrupted)
}

// Run verifies a job file's sinks or a folder's archives.
func (c *verifyCmd) Run(a *app) error {
	a.json, a.quiet = c.JSON, c.Quiet
	subset, err := parseSubset(c.ReadSubset)
	if err != nil {
		return usage("--read-subset: %w", err)
	}
	info, err := os.Stat(c.Path)
	folder := err == nil && info.IsDir()
	if folder && (c.Job != "" || c.Only != "") {
		return usage("--job and --only need a job file, not a folder")
	}
	ctx, release := a.interruptible()
	defer release()
	v := newVerification(a, subset)
	unwatch := v.watch()
	if folder {
		err = v.folder(ctx, c.Path)
	} else {
		err = c.jobs(ctx, a, v)
	}
	unwatch()
	code := v.finish(err)
	if err != nil && ctx.Err() == nil {
		return err
	}
	return exitWith(code)
}

// jobs verifies what the ledgers of a job file's jobs hold as verified.
func (c *verifyCmd) jobs(ctx context.Context, a *app, v *verification) error {
	env := a.jobsEnv()
	env.NoSecrets = true
	selected, release, err := c.choose(c.Path, env)
	if err != nil {
		return err
	}
	defer release()
	for _, job := range selected {
		if err := c.job(ctx, v, job); err != nil {
			return err
		}
	}
	return nil
}

func (c *verifyCmd) job(ctx context.Context, v *verification, job *jobs.Job) error {
	ledger, err := checkpoint.OpenReadOnly(ctx, job.StateDir)
	if err != nil {
		return err
	}
	defer ledger.Close()
	rows, err := ledger.Status(ctx)
	if err != nil {
		return err
	}
	if c.Only == "" {
		v.unreachable(job, rows)
	}
	for _, err := range ledger.Custody(ctx) {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			v.broken = true
			v.report(finding{Object: job.StateDir, Problem: err.Error()})
			break
		}
		v.custody++
	}
	if err := v.accounts(ctx, ledger, job); err != nil {
		return fmt.Errorf("verify job %q: %w", job.Name, err)
	}
	return nil
}
