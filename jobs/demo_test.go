package jobs

import (
	"errors"
	"sync"
	"testing"

	"popmigrate/internal/demo"
	"popmigrate/migrate"
)

func loadDemo(t *testing.T) *Job {
	t.Helper()
	file, err := Load("testdata/valid/demo.hcl", testEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(file.close)
	return file.Jobs[0]
}

// TestDemo logs in to all demo maildrops at once: one server starts, with the
// first session.
func TestDemo(t *testing.T) {
	job := loadDemo(t)
	server := job.sources[0].demo
	if server.server != nil {
		t.Fatal("the server runs before the first session")
	}
	if len(job.Job.Accounts) != len(demo.Accounts()) {
		t.Fatalf("%d accounts", len(job.Job.Accounts))
	}
	var wg sync.WaitGroup
	for i := range job.Job.Accounts {
		wg.Go(func() {
			account := &job.Job.Accounts[i]
			session, facts, err := account.Connector.Connect(t.Context())
			if err != nil {
				t.Errorf("%s: %v", account.Name, err)
				return
			}
			defer session.Close()
			listing, err := session.List(t.Context())
			if err != nil {
				t.Errorf("%s: %v", account.Name, err)
				return
			}
			if facts.TLSVersion == "" || facts.Server != demoAddress {
				t.Errorf("%s: facts %+v", account.Name, facts)
			}
			if empty := len(listing.Entries) == 0; empty != (account.User == "empty") {
				t.Errorf("%s: %d messages", account.Name, len(listing.Entries))
			}
		})
	}
	wg.Wait()
	first, err := server.start()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := server.start(); second != first || err != nil {
		t.Errorf("a second server was started: %v", err)
	}
}

func TestDemoAfterClose(t *testing.T) {
	job := loadDemo(t)
	if err := job.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := job.Job.Accounts[0].Connector.Connect(t.Context())
	if connect := (*migrate.ConnectError)(nil); !errors.As(err, &connect) {
		t.Errorf("got %v", err)
	}
}
