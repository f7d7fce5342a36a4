package jobs

import (
	"strings"
	"testing"

	"popmigrate/migrate"
)

// pop2:// for copy: by name and password, and only when it is allowed in words.
func TestFromPOP2URL(t *testing.T) {
	dir := t.TempDir()
	env := testEnv(t)
	if _, _, err := FromURL("pop2://alice@old.example.edu", dir, nil, WithEnv(env)); err == nil || !strings.Contains(err.Error(), "POP2 knows no encryption") {
		t.Errorf("without a word: %v", err)
	}
	job, _, err := FromURL("pop2://al%20ice@old.example.edu", dir, nil, WithEnv(env), WithCleartext())
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	source, ok := job.Job.Accounts[0].Connector.(*migrate.POP2Source)
	if !ok || source.Server != "old.example.edu:109" || source.User != "al ice" || source.Password == nil || source.Folder != "" {
		t.Errorf("%+v", job.Job.Accounts[0].Connector)
	}
	for _, wrong := range []string{"pop2://alice;AUTH=PLAIN@h", "pop2://alice:secret@h"} {
		if _, err := ParseURL(wrong); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
	if _, _, err := FromURL("pop2://alice@h", dir, nil, WithEnv(env), WithCleartext(), WithTLS("starttls")); err == nil || !strings.Contains(err.Error(), "no POP2 over TLS") {
		t.Errorf("with TLS: %v", err)
	}
}
