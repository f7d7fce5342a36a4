package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A run after the clock was put back has an id behind those before it, so that
// --failed goes by the run that was really the last.
func TestRunIDAfterTheClockWentBack(t *testing.T) {
	runs := t.TempDir()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	id := newRunID(now, "abcd")
	if got, err := afterAll(id, filepath.Join(runs, "none yet")); got != id || err != nil {
		t.Errorf("first run: %s, %v", got, err)
	}
	for _, name := range []string{newRunID(now.Add(-time.Hour), "zzzz"), newRunID(now.Add(24*time.Hour), "zzzz"), "zz-not-a-run"} {
		if err := os.Mkdir(filepath.Join(runs, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	want := newRunID(now.Add(24*time.Hour+time.Millisecond), "abcd")
	if got, err := afterAll(id, runs); got != want || err != nil {
		t.Errorf("%s, want %s (%v)", got, want, err)
	}
	later := newRunID(now.Add(48*time.Hour), "abcd")
	if got, err := afterAll(later, runs); got != later || err != nil {
		t.Errorf("%s, want %s (%v)", got, later, err)
	}
}
