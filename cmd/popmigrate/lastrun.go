package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"popmigrate/migrate"
)

// lastFailed returns the accounts that were not complete in the last run that
// tried them, by the reports below a state directory. A run of some maildrops
// only says nothing of the others, so reports are read from the newest one
// back until every account was met.
func lastFailed(stateDir string, accounts []migrate.Account) (names map[string]bool, err error) {
	runs := filepath.Join(stateDir, runsDir)
	entries, err := os.ReadDir(runs) // sorted, and run ids begin with the time
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	open := make(map[string]bool, len(accounts))
	for i := range accounts {
		open[accounts[i].Name] = true
	}
	failed, found := map[string]bool{}, false
	for _, entry := range slices.Backward(entries) {
		if len(open) == 0 {
			break
		}
		dir := filepath.Join(runs, entry.Name())
		if _, err := os.Stat(filepath.Join(dir, failedFile)); errors.Is(err, fs.ErrNotExist) {
			continue // a dry run, or one that was killed
		}
		found = true
		if err := readStates(filepath.Join(dir, accountsFile), func(name, state string) {
			if open[name] && state != stateComplete {
				failed[name] = true
			}
			delete(open, name)
		}); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, fmt.Errorf("read the last run's failures: no run in %s has a %s", runs, failedFile)
	}
	return failed, nil
}

// readStates calls f for each row of an accounts.csv.
func readStates(path string, f func(name, state string)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := csv.NewReader(file)
	header, err := in.Read()
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	name, state := slices.Index(header, nameColumn), slices.Index(header, stateColumn)
	if name < 0 || state < 0 {
		return fmt.Errorf("read %s: it lacks the columns %q and %q", path, nameColumn, stateColumn)
	}
	for {
		row, err := in.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		f(row[name], row[state])
	}
}
