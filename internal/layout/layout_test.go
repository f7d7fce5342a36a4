// Package layout holds the test that keeps the packages' imports as
// docs/design.md draws them.
package layout

import (
	"bufio"
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport lists, for every package, which of the project's own packages it
// may import. Tests are free.
var mayImport = map[string][]string{
	"cmd/popmigrate":               {"jobs", "migrate", "preflight", "sinks", "checkpoint", "internal/spool", "internal/durable"},
	"jobs":                         {"migrate", "pop3", "pop3/auth", "pop3/auth/oauth", "pop3/kerberos", "sinks", "checkpoint", "internal/demo", "internal/durable", "internal/profiles"},
	"migrate":                      {"pop2", "pop3", "pop3/auth", "sinks", "checkpoint", "internal/spool", "internal/header", "internal/digest", "internal/profiles"},
	"preflight":                    {"migrate", "pop3"},
	"pop3":                         {"internal/redact"},
	"pop2":                         {"pop3"},
	"pop2/pop2test":                {},
	"pop3/auth":                    {"pop3"},
	"pop3/auth/oauth":              {"internal/durable", "internal/redact"},
	"pop3/kerberos":                {},
	"pop3/pop3test":                {"internal/digest"},
	"sinks":                        {"internal/durable", "internal/header", "internal/digest", "internal/redact"},
	"sinks/sinktest":               {"sinks", "internal/durable", "internal/durable/durabletest", "internal/header", "internal/digest"},
	"sinks/smtptest":               {"internal/digest"},
	"checkpoint":                   {"internal/durable", "internal/digest"},
	"checkpoint/checkpointtest":    {"checkpoint", "internal/digest"},
	"internal/demo":                {"pop3/pop3test"},
	"internal/digest":              {},
	"internal/durable":             {},
	"internal/durable/durabletest": {"internal/durable"},
	"internal/header":              {},
	"internal/profiles":            {},
	"internal/redact":              {},
	"internal/spool":               {},
	"internal/sqlitevfs":           {"internal/durable"}, // stands in no list: only tests may import it
	"internal/realservers":         {},
	"internal/realservers/inetd":   {},
	"bench":                        {}, // its tests run the program and the servers
	"internal/layout":              {},
	"internal/torture":             {},
	"internal/personalities":       {},
	"internal/endtoend":            {},
}

// onlyIn names libraries that one place alone may import, or a few; a slash at
// the end stands for all packages below.
var onlyIn = map[string]string{
	"modernc.org/sqlite":                 "checkpoint",
	"modernc.org/libc":                   "internal/sqlitevfs",
	"github.com/hashicorp/hcl/v2":        "jobs internal/profiles",
	"github.com/alecthomas/kong":         "cmd/popmigrate",
	"github.com/schollz/progressbar/v3":  "cmd/popmigrate",
	"github.com/emersion/go-mbox":        "sinks",
	"github.com/emersion/go-smtp":        "sinks",
	"github.com/klauspost/compress/zstd": "sinks",
	"github.com/jcmturner/":              "pop3/kerberos",
	"github.com/xdg-go/scram":            "pop3/auth",
	"github.com/Azure/go-ntlmssp":        "pop3/auth",
}

func TestImports(t *testing.T) {
	output, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "popmigrate/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := 0
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		name := strings.TrimPrefix(words[0], "popmigrate/")
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s: say in this test and in docs/design.md what it may import", name)
			continue
		}
		packages++
		for _, imported := range words[1:] {
			if own, ok := strings.CutPrefix(imported, "popmigrate/"); ok && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s", name, own)
			}
			for library, place := range onlyIn {
				below := strings.HasSuffix(library, "/") && strings.HasPrefix(imported, library)
				if (imported == library || below) && !slices.Contains(strings.Fields(place), name) {
					t.Errorf("%s imports %s, which belongs in %s", name, imported, place)
				}
			}
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages seen", packages)
	}
}
