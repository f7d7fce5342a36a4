package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
)

// release is the version that a release build is given by the linker.
var release string

// version returns the program's version: of the release, of the module, or
// the revision it was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return "devel-" + setting.Value[:12]
		}
	}
	return "devel"
}

// notable are the modules that touch mail, secrets or the ledger.
var notable = []string{
	"github.com/emersion/go-mbox", "github.com/emersion/go-sasl", "github.com/emersion/go-smtp",
	"github.com/hashicorp/hcl/v2", "github.com/klauspost/compress", "modernc.org/sqlite",
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(a *app) error {
	a.mute = true
	out := &checkedWriter{w: a.out}
	fmt.Fprintf(out, "popmigrate %s, %s, %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if slices.Contains(notable, module.Path) {
				fmt.Fprintf(out, "  %s %s\n", module.Path, module.Version)
			}
		}
	}
	return out.err
}
