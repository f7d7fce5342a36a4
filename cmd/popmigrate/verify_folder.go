package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"popmigrate/internal/durable"
	"popmigrate/sinks"
)

// folder verifies every mbox archive in and below dir by its own index.
func (v *verification) folder(ctx context.Context, dir string) error {
	archives, others, err := findArchives(ctx, dir)
	if err != nil {
		return err
	}
	if others > 0 {
		v.app.note("Warning: %s without an index, such as maildirs; only the job file with its ledger can verify them.", counted(int64(others), "archive"))
	}
	if len(archives) == 0 {
		return fmt.Errorf("verify %s: no mbox archive with an index is in this folder or below it", dir)
	}
	v.begin(len(archives))
	for _, archive := range archives {
		if err := v.indexed(ctx, dir, archive); err != nil {
			return err
		}
		v.end()
	}
	return nil
}

// findArchives returns the folders in and below dir that hold an mbox archive,
// and how many archives of another kind there are.
func findArchives(ctx context.Context, dir string) (archives []string, others int, err error) {
	mbox, marked := map[string]bool{}, map[string]bool{}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch folder := filepath.Dir(path); {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !entry.Type().IsRegular():
		case entry.Name() == "popmigrate.id":
			marked[folder] = true
		case strings.HasSuffix(entry.Name(), ".index.jsonl"):
			mbox[folder] = true
		}
		return nil
	})
	for folder := range marked {
		if !mbox[folder] {
			others++
		}
	}
	return slices.Sorted(maps.Keys(mbox)), others, err
}

// indexed verifies one mbox archive by its own index.
func (v *verification) indexed(ctx context.Context, top, dir string) error {
	name := dir
	if rel, err := filepath.Rel(top, dir); err == nil && rel != "." {
		name = rel
	}
	fsys := durable.OS{}
	check := v.check(name, "", func(yield func(sinks.Copy) bool) {
		for copy, err := range sinks.IndexCopies(fsys, dir) {
			if err != nil {
				v.report(finding{Account: name, Object: dir, Problem: err.Error()})
				continue
			}
			if !yield(copy) {
				return
			}
		}
	})
	return v.archive(ctx, name, "", check, func(ctx context.Context, check sinks.Check) error {
		return sinks.VerifyMbox(ctx, sinks.MboxConfig{FS: fsys, Dir: dir, Codecs: v.codecs}, check)
	})
}
