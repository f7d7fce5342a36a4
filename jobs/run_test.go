package jobs

import (
	"os"
	"path/filepath"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/internal/spool"
	"popmigrate/migrate"
)

// TestExampleRuns runs the example as it stands, twice: all of the demo's mail
// is stored and deleted, but for the maildrop on hold, and a second process
// fetches nothing again.
func TestExampleRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a migration")
	}
	src, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "jobs.hcl")
	if err := os.WriteFile(path, src, 0o644); err != nil {
		t.Fatal(err)
	}
	first := run(t, path)
	if first.Listed < 55 || first.Stored != first.Listed || first.Verified == 0 || first.Failed+first.Skipped > 0 {
		t.Errorf("first run: %+v", first)
	}
	if first.Gone == 0 || first.Gone+first.Held != first.Listed || first.Held != 12 {
		t.Errorf("first run: %d gone, %d held of %d", first.Gone, first.Held, first.Listed)
	}
	second := run(t, path)
	if second.Listed != first.Listed || second.Stored != 0 || second.Known != second.Listed {
		t.Errorf("second run: %+v", second)
	}
}

func run(t *testing.T, path string) migrate.Counts {
	t.Helper()
	file, err := Load(path, Env{})
	if err != nil {
		t.Fatal(err)
	}
	job := file.Jobs[0]
	defer job.Close()
	if err := os.MkdirAll(job.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	ledger, err := checkpoint.OpenSQLite(t.Context(), job.StateDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	spool, err := spool.Open(filepath.Join(job.StateDir, "spool"), job.Job.Limits.Memory)
	if err != nil {
		t.Fatal(err)
	}
	report, err := migrate.Run(t.Context(), job.Job, &migrate.Env{
		Ledger: ledger, Spool: spool, RunID: "test", Version: "test", Operator: "test", TornDir: filepath.Join(job.StateDir, "torn"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Accounts {
		if account := &report.Accounts[i]; !account.Complete {
			t.Errorf("%s: %s %s", account.Account.Name, account.Class, account.Reason)
		}
	}
	return report.Total()
}
