package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/internal/spool"
	"popmigrate/jobs"
	"popmigrate/migrate"
)

// quarantineDir, in a job's state directory, takes what was damaged.
const quarantineDir = "quarantine"

// migration is one job of a run: what run and copy have in common.
type migration struct {
	app     *app
	job     *jobs.Job
	runID   string
	dryRun  bool
	verbose bool
	headed  bool // one of several jobs
	repair  migrate.RepairMode

	ledger *checkpoint.SQLite
	env    *migrate.Env
	dir    string // runs/<run id>
	log    *runLog
}

func (a *app) newMigration(job *jobs.Job) *migration {
	random := strings.ToLower(rand.Text()[:4])
	return &migration{app: a, job: job, runID: newRunID(time.Now(), random)}
}

// run moves the mail of a job, shows it, and returns what it came to.
func (m *migration) run(stop *stopper) *result {
	if err := m.open(stop); err != nil {
		_ = m.close() // nothing was written
		r := newResult(m.job, m.runID, nil, err)
		m.fail(r)
		return r
	}
	p := m.printer()
	m.env.Observer = observers{p, m.log}
	m.log.line(true, "run %s of job %q by popmigrate %s, job file %s", m.runID, m.job.Name, version(), m.job.Job.Digest)
	report, err := migrate.Run(stop, m.job.Job, m.env)
	r := newResult(m.job, m.runID, report, err)
	if err != nil && stop.Err() != nil {
		r.code = exitInterrupted // what the ledger was doing was broken off
	}
	r.quarantine = filepath.Join(m.job.StateDir, quarantineDir)
	r.dryRun, r.policy, r.dir = m.dryRun, m.job.Job.Delete, m.dir
	m.log.line(true, "%s", r.code.lastLine())
	m.finish(r)
	p.Finish(r)
	return r
}

// printer returns who shows this job.
func (m *migration) printer() printer {
	if m.app.json {
		return newJSONPrinter(m.app.out, m.job.Name, m.runID)
	}
	return newTextPrinter(m.app, m.job.Job, m.verbose, m.headed)
}

// fail says why the job could not start.
func (m *migration) fail(r *result) {
	if m.app.json {
		writeStartFailure(m.app.out, r.job, r.runID, r.code, r.err)
		return
	}
	m.app.screen.complain(r.err)
}

// open prepares everything below the state directory. The ledger's lock comes
// first: whatever else is there belongs to its holder.
func (m *migration) open(stop *stopper) error {
	state := m.job.StateDir
	if err := os.MkdirAll(filepath.Dir(state), 0o700); err != nil {
		return err
	}
	ledger, err := checkpoint.OpenSQLite(stop, state, &checkpoint.Options{JobDigest: m.job.Job.Digest, Version: version()})
	if err != nil {
		return err
	}
	m.ledger = ledger
	room, err := spool.Open(filepath.Join(state, "spool"), m.job.Job.Limits.WithDefaults().Memory)
	if err != nil {
		return err
	}
	m.withinFiles(room)
	if m.runID, err = afterAll(m.runID, filepath.Join(state, runsDir)); err != nil {
		return err
	}
	m.dir = filepath.Join(state, runsDir, m.runID)
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	if m.log, err = openRunLog(m.dir); err != nil {
		return err
	}
	m.env = &migrate.Env{Ledger: ledger, Spool: room, RunID: m.runID, Version: version(), Operator: operator(),
		TornDir: filepath.Join(state, "torn"), QuarantineDir: filepath.Join(state, quarantineDir), Repair: m.repair, DryRun: m.dryRun, Quiesce: stop.quiesce}
	return nil
}

// close releases what open took; the lock last.
func (m *migration) close() error {
	var errs []error
	if m.log != nil {
		errs = append(errs, m.log.Close())
	}
	if m.ledger != nil {
		errs = append(errs, m.ledger.Close())
	}
	return errors.Join(errs...)
}

// finish writes the reports while the lock is still held, and lets go.
func (m *migration) finish(r *result) {
	r.reportErr = writeReports(r)
	if err := m.close(); err != nil {
		r.reportErr = errors.Join(r.reportErr, err)
	}
	if r.reportErr != nil {
		r.code = worse(r.code, exitStart)
	}
}

// operator names who runs the program, for the custody record.
func operator() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s@%s", name, host)
}
