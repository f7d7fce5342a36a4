package main

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"runtime"
	"strings"

	"popmigrate/internal/durable"
	"popmigrate/sinks"
)

// folder verifies every mbox archive in and below dir by its own index.
func (v *verification) folder(ctx context.Context, dir string) error {
	var archives []string
	others := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.Name() == "popmigrate.id" && entry.Type().IsRegular():
			if index, _ := filepath.Glob(filepath.Join(filepath.Dir(globless(path)), "*.index.jsonl")); len(index) > 0 {
				archives = append(archives, filepath.Dir(path))
			} else {
				others++
			}
		}
		return nil
	})
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
		if err := v.archive(ctx, dir, archive); err != nil {
			return err
		}
		v.end()
	}
	return nil
}

// globless quotes what filepath.Glob would take for a pattern.
func globless(path string) string {
	if runtime.GOOS == "windows" {
		return path // these characters do not occur there, and a backslash cannot quote
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// archive verifies one mbox archive: its layout, and the copies picked.
func (v *verification) archive(ctx context.Context, top, dir string) error {
	name := dir
	if rel, err := filepath.Rel(top, dir); err == nil && rel != "." {
		name = rel
	}
	v.count(func() { v.archives++ })
	fsys := durable.OS{}
	var copies iter.Seq[sinks.Copy] = func(yield func(sinks.Copy) bool) {
		for copy, err := range sinks.IndexCopies(fsys, dir) {
			if err != nil {
				v.report(finding{Account: name, Object: dir, Problem: err.Error()})
				continue
			}
			if !yield(copy) {
				return
			}
		}
	}
	err := sinks.VerifyMbox(ctx, sinks.MboxConfig{FS: fsys, Dir: dir, Codecs: v.codecs}, copies,
		func(copy sinks.Copy) bool { return v.picked(name, &copy) },
		func(copy sinks.Copy, err error) {
			if ctx.Err() == nil {
				v.checked(name, "", &copy, err)
			}
		})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.report(finding{Account: name, Object: dir, Problem: err.Error()})
	}
	return nil
}
