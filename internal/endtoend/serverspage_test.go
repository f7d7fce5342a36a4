//go:build linux

package endtoend

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestServersPage holds docs/servers.md to what the suite runs: the cell "Tried
// on the real server" names the logins of TestRealServers, and no row claims
// more.
func TestServersPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/servers.md")
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]string{} // by row
	column := -1
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") {
			column = -1
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if column < 0 {
			column = slices.Index(cells, "Tried on the real server")
		} else if cells[0] != "---" {
			claims[cells[0]] = cells[column]
		}
	}
	for _, s := range realServers {
		want := "yes: " + strings.ToLower(strings.Join(append(slices.Clone(s.logins), s.plain...), ", "))
		if claims[s.row] != want {
			t.Errorf("%s: the page says %q, the suite %q", s.row, claims[s.row], want)
		}
	}
	tried := func(row string) bool {
		return slices.ContainsFunc(realServers, func(s realServer) bool { return s.row == row })
	}
	for row, claim := range claims {
		if claim != "no" && !tried(row) {
			t.Errorf("%s: the page says %q, and the suite does not run it", row, claim)
		}
	}
}
