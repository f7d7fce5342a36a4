package personalities

import (
	"os"
	"strings"
	"testing"

	"popmigrate/pop3/pop3test"
)

// TestServersTable holds docs/servers.md to what is played: a row for each
// personality, no other, and what it says of certainty is what the data say.
func TestServersTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/servers.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	played, _, _ := strings.Cut(string(text), "\n## Tried, and not played")
	for line := range strings.Lines(played) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| Server ") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if _, twice := rows[cells[0]]; twice {
			t.Errorf("%s has two rows", cells[0])
		}
		rows[cells[0]] = cells
	}
	for _, p := range pop3test.Personalities() {
		row, ok := rows[p.Name]
		delete(rows, p.Name)
		if !ok {
			t.Errorf("%s has no row in docs/servers.md", p.Name)
			continue
		}
		if len(row) != 6 {
			t.Errorf("%s has %d cells, want 6", p.Name, len(row))
			continue
		}
		if row[1] != p.Sure {
			t.Errorf("%s: the table is sure that %q, the data that %q", p.Name, row[1], p.Sure)
		}
		for i, cell := range row[:5] {
			if cell == "" {
				t.Errorf("%s: cell %d is empty", p.Name, i+1)
			}
		}
	}
	for name := range rows {
		t.Errorf("%s stands in docs/servers.md and is played by nobody", name)
	}
}

// TestExpectationsHaveReasons keeps the table of what does not work honest.
func TestExpectationsHaveReasons(t *testing.T) {
	known := map[string]bool{}
	for _, p := range pop3test.Personalities() {
		if known[p.Key] {
			t.Errorf("two personalities have the key %s", p.Key)
		}
		known[p.Key] = true
	}
	for key, e := range expectations {
		if !known[key] || e.why == "" {
			t.Errorf("%s: no such personality, or no reason", key)
		}
	}
}
